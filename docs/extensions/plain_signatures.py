"""Signatures in the reference show the types of configuration fields, without the ranges that are checked."""

import re
from typing import Any

from sphinx.application import Sphinx

START = re.compile(r"~?(?:typing\.)?Annotated\[")


def without_metadata(text: str) -> str:
    """`Annotated[T, ...]` becomes `T`, also where it is nested."""
    start = START.search(text)
    if start is None:
        return text
    depth, comma, position = 1, 0, start.end()
    while depth:
        character = text[position]
        depth += (character in "[(") - (character in "])")
        if character == "," and depth == 1 and not comma:
            comma = position
        position += 1
    kept = text[start.end() : comma or position - 1]
    return without_metadata(text[: start.start()] + kept + text[position:])


def _process(
    app: Sphinx, what: str, name: str, value: Any, options: Any, signature: str | None, returned: str | None
) -> tuple[str | None, str | None]:
    return (signature and without_metadata(signature), returned and without_metadata(returned))


def setup(app: Sphinx) -> dict[str, Any]:
    """Run on every signature."""
    app.connect("autodoc-process-signature", _process)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
