"""Tables of figures over several runs: mean and deviation in each cell, as Markdown, HTML or JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .page import table

ABSENT = "\u2013"


@dataclass(frozen=True)
class Column:
    """One figure of `evaluation.json`."""

    name: str
    path: tuple[str, ...]  # its keys; "*" is the first there is
    digits: int = 2

    def of(self, evaluation: Mapping[str, Any]) -> float | None:
        """The figure, or None where an evaluation has it not."""
        value: Any = evaluation
        for key in self.path:
            if not isinstance(value, Mapping) or not value:
                return None
            value = next(iter(value.values())) if key == "*" else value.get(key)
        return None if value is None else float(value)


@dataclass(frozen=True)
class Row:
    """Figures by column, one of each run."""

    name: str
    values: dict[str, list[float]]
    published: dict[str, str] = field(default_factory=dict)  # by column, as printed in a paper


@dataclass(frozen=True)
class Table:
    """Rows of figures; cells are `mean ± deviation` over a row's runs, the deviation that of a sample (n - 1)."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    notes: Sequence[str] = ()

    def head(self) -> list[str]:
        """Names of the columns; a published one follows each that has any."""
        names = ["", "runs"]
        for column in self.columns:
            names += [column.name, *(["published"] if self._is_published(column) else [])]
        return names

    def cells(self) -> list[list[str]]:
        """The body."""
        lines = []
        for row in self.rows:
            line = [row.name, str(max((len(values) for values in row.values.values()), default=0))]
            for column in self.columns:
                line.append(_cell(row.values.get(column.name, []), column.digits))
                if self._is_published(column):
                    line.append(row.published.get(column.name, ABSENT))
            lines.append(line)
        return lines

    def to_markdown(self) -> str:
        """A Markdown table with its title and notes."""
        head, body = self.head(), self.cells()
        rule = ["---", *["---:"] * (len(head) - 1)]
        lines = [f"| {' | '.join(cells)} |" for cells in (head, rule, *body)]
        notes = "".join(f"- {note}\n" for note in self.notes)
        return f"# {self.title}\n\n" + "\n".join(lines) + "\n" + (f"\n{notes}" if notes else "")

    def to_html(self) -> str:
        """A section of a page."""
        return table(self.title, " ".join(_sentence(note) for note in self.notes), self.head(), self.cells())

    def to_json(self) -> dict[str, Any]:
        """Everything, with the figure of each run."""
        return {
            "title": self.title,
            "columns": [column.name for column in self.columns],
            "rows": [
                {
                    "name": row.name,
                    "figures": {
                        name: {"mean": float(np.mean(values)), "std": _deviation(values), "runs": values}
                        for name, values in row.values.items()
                        if values
                    },
                    "published": row.published,
                }
                for row in self.rows
            ],
            "notes": list(self.notes),
        }

    def _is_published(self, column: Column) -> bool:
        return any(column.name in row.published for row in self.rows)


def collect(name: str, evaluations: Sequence[Mapping[str, Any]], columns: Sequence[Column], **options: Any) -> Row:
    """A row of the figures that the evaluations of some runs have."""
    found = {column.name: [column.of(evaluation) for evaluation in evaluations] for column in columns}
    return Row(
        name, {key: [value for value in values if value is not None] for key, values in found.items()}, **options
    )


def _cell(values: Sequence[float], digits: int) -> str:
    if not values:
        return ABSENT
    mean = f"{np.mean(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} \u00b1 {_deviation(values):.{digits}f}"


def _deviation(values: Sequence[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def _sentence(note: str) -> str:
    return note if note.endswith(".") else f"{note}."
