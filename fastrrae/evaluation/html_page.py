"""An HTML page that needs nothing outside it, from the template `report.html.jinja`."""

import base64
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, StrictUndefined, Template

from ..atomic_files import write_text


class TableSection(NamedTuple):
    """A table: names in the first column, numbers in the others; no head where its names are all empty."""

    title: str
    explanation: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    kind: str = "table"


class PictureSection(NamedTuple):
    """A PNG file, which becomes part of the page."""

    title: str
    path: Path
    caption: str
    kind: str = "picture"

    @property
    def base64(self) -> str:
        """Its bytes as text."""
        return base64.b64encode(self.path.read_bytes()).decode()


class DetailsSection(NamedTuple):
    """Values that unfold to JSON."""

    title: str
    values: Any
    kind: str = "details"

    @property
    def json(self) -> str:
        """The values as text."""
        return json.dumps(self.values, indent=2)


Section = TableSection | PictureSection | DetailsSection


def render_page(*, title: str, subtitle: str, facts: Mapping[str, str], sections: Sequence[Section]) -> str:
    """A page as text: headline facts in boxes, then sections."""
    return _template().render(title=title, subtitle=subtitle, facts=facts, sections=sections)


def write_page(path: Path, *, title: str, subtitle: str, facts: Mapping[str, str], sections: Sequence[Section]) -> None:
    """Write what `render_page` gives."""
    write_text(path, render_page(title=title, subtitle=subtitle, facts=facts, sections=sections))


@lru_cache
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    source = resources.files("fastrrae.evaluation").joinpath("report.html.jinja").read_text(encoding="utf-8")
    return environment.from_string(source)
