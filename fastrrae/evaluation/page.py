"""Parts of an HTML page that needs nothing outside it: frame, facts, tables, pictures, collapsible details."""

import base64
import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple


class Picture(NamedTuple):
    """A figure in the report."""

    title: str
    path: Path
    caption: str


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light; --ink: #1f2933; --muted: #616e7c; --line: #e4e7eb; --accent: #0b6e99; }}
body {{ margin: 0; background: #f7f8fa; color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }}
main {{ max-width: 60rem; margin: 0 auto; padding: 2rem 1rem 4rem; }}
h1 {{ font-size: 1.7rem; margin: 0 0 .25rem; }}
h2 {{ font-size: 1.1rem; margin: 0 0 .5rem; }}
p {{ margin: .25rem 0; color: var(--muted); }}
.facts {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .75rem; margin: 1.5rem 0; }}
.fact {{ background: #fff; border: 1px solid var(--line); border-radius: 8px; padding: .75rem 1rem; }}
.fact b {{ display: block; font-size: 1.35rem; color: var(--accent); overflow-wrap: anywhere; }}
.fact span {{ color: var(--muted); font-size: .85rem; }}
section {{ background: #fff; border: 1px solid var(--line); border-radius: 8px; }}
section {{ padding: 1rem 1.25rem; margin: 1rem 0; }}
img {{ max-width: 100%; height: auto; display: block; margin: .5rem auto 0; }}
table {{ border-collapse: collapse; width: 100%; font-size: .9rem; }}
td, th {{ text-align: left; vertical-align: top; padding: .3rem .5rem; border-bottom: 1px solid var(--line); }}
td.number, th.number {{ text-align: right; font-variant-numeric: tabular-nums; }}
td.number {{ white-space: nowrap; }}
.scroll {{ overflow-x: auto; }}
pre {{ overflow-x: auto; font-size: .8rem; background: #f7f8fa; padding: .75rem; border-radius: 6px; }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{subtitle}</p>
<div class="facts">{facts}</div>
{sections}
</main>
</body>
</html>
"""


def write_page(path: Path, *, title: str, subtitle: str, facts: Mapping[str, str], sections: Sequence[str]) -> None:
    """Write a page: headline facts in boxes, then sections."""
    boxes = "".join(f"<div class=fact><b>{escape(v)}</b><span>{escape(k)}</span></div>" for k, v in facts.items())
    page = _PAGE.format(title=escape(title), subtitle=escape(subtitle), facts=boxes, sections="\n".join(sections))
    path.write_text(page)


def table(title: str, explanation: str, head: list[str], rows: list[list[str]]) -> str:
    """A section with a table: names in the first column, numbers in the others."""
    cells = "".join(f"<th class=number>{escape(name)}</th>" for name in head[1:])
    lines = "".join(
        f"<tr><td>{escape(first)}</td>" + "".join(f"<td class=number>{escape(cell)}</td>" for cell in others) + "</tr>"
        for first, *others in rows
    )
    header = f"<tr><th>{escape(head[0])}</th>{cells}</tr>" if any(head) else ""
    return (
        f"<section><h2>{escape(title)}</h2><p>{escape(explanation)}</p>"
        f"<div class=scroll><table>{header}{lines}</table></div></section>"
    )


def figure(picture: Picture) -> str:
    """A section with a picture inside the page."""
    data = base64.b64encode(picture.path.read_bytes()).decode()
    return (
        f"<section><h2>{escape(picture.title)}</h2><p>{escape(picture.caption)}</p>"
        f'<img alt="{escape(picture.title)}" src="data:image/png;base64,{data}"></section>'
    )


def details(name: str, values: Any) -> str:
    """A section that unfolds to JSON."""
    return (
        f"<section><details><summary>{escape(name)}</summary>"
        f"<pre>{escape(json.dumps(values, indent=2))}</pre></details></section>"
    )
