"""Docstrings are written as plain text with Markdown's backticks and fences; Sphinx reads reStructuredText."""

import re
from typing import Any

from sphinx.application import Sphinx

FENCE = re.compile(r"^(\s*)```(\w*)\s*$")


def as_restructured_text(lines: list[str]) -> list[str]:
    """Fenced code becomes a code block, and asterisks and final underscores outside of code stand for themselves."""
    found, indent = [], None
    for line in lines:
        fence = FENCE.match(line)
        if fence and indent is None:
            indent = fence.group(1)
            found += ["", f"{indent}.. code-block:: {fence.group(2) or 'text'}", ""]
        elif fence:
            indent = None
            found.append("")
        elif indent is not None:
            found.append(f"   {line}" if line.strip() else "")
        else:
            found.append(_escaped(line))
    return found


def _escaped(line: str) -> str:
    if line.lstrip().startswith((">>>", "...", "**")):
        return line
    parts = line.split("`")  # odd ones are code
    return "`".join(part if number % 2 else part.replace("*", "\\*") for number, part in enumerate(parts))


def _process(app: Sphinx, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    lines[:] = as_restructured_text(lines)


def setup(app: Sphinx) -> dict[str, Any]:
    """Run before napoleon, which reads the sections Args, Returns and Raises."""
    app.connect("autodoc-process-docstring", _process, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
