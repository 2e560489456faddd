"""Tables of results over several runs: mean and deviation in each cell, as Markdown, HTML or JSON."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .html_page import TableSection
from .results import Evaluation, SampleMetrics

ABSENT = "\u2013"

Metric = Callable[[Evaluation], float | None]


@dataclass(frozen=True)
class Column:
    """One metric of each evaluation."""

    name: str
    of: Metric  # None where an evaluation does not have it
    digits: int = 2


def of_draws(metric: Callable[[SampleMetrics], float | None], density: str | None = None) -> Metric:
    """A metric of the samples from a density, by default from the first that an evaluation has."""

    def of(evaluation: Evaluation) -> float | None:
        name = density or next(iter(evaluation.samples), None)
        found = evaluation.samples.get(name) if name else None
        return found and metric(found)

    return of


def of_interpolations(metric: Callable[[SampleMetrics], float | None]) -> Metric:
    """A metric of the interpolations between test samples."""
    return lambda evaluation: evaluation.interpolations and metric(evaluation.interpolations)


def of_reconstructions(metric: Callable[[SampleMetrics], float | None]) -> Metric:
    """A metric of the reconstructions of test samples."""
    return lambda evaluation: evaluation.reconstructions and metric(evaluation.reconstructions)


def of_generation(density: str | None = None) -> Metric:
    """The mean error of generated samples from a density, by default from the first that an evaluation has."""

    def of(evaluation: Evaluation) -> float | None:
        name = density or next(iter(evaluation.generation_error), None)
        found = evaluation.generation_error.get(name) if name else None
        return found and found.mean

    return of


def of_pca(evaluation: Evaluation) -> float | None:
    """The error of as many principal components of the data, on the main test set."""
    errors = list(evaluation.pca_errors.values())[1:2]
    return errors[0].overall if errors else None


def of_model(name: str) -> Metric:
    """A metric that models of some kinds add."""
    return lambda evaluation: evaluation.of_model.get(name)


def _exact_strings(evaluation: Evaluation) -> float | None:
    """On the main test set."""
    return None if evaluation.strings is None else list(evaluation.strings.exact.values())[1]


EXACT_STRINGS = Column("strings that come back, %", _exact_strings)
VALID_STRINGS = Column("valid draws, %", lambda evaluation: evaluation.strings and evaluation.strings.valid, 1)
MOLECULES_DRAWN = Column(
    "draws that are molecules, %", lambda evaluation: evaluation.strings and evaluation.strings.molecules, 1
)


@dataclass(frozen=True)
class ResultsRow:
    """Numbers by column, one of each run."""

    name: str
    values: dict[str, list[float]]
    published: dict[str, str] = field(default_factory=dict)  # by column, as printed in a paper
    settings: Mapping[str, Any] = field(default_factory=dict)  # which, in columns of their own, stand for the name


@dataclass(frozen=True)
class ResultsTable:
    """Rows of results; cells are `mean ± deviation` over a row's runs, the deviation that of a sample (n - 1)."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[ResultsRow]
    notes: Sequence[str] = ()

    def head(self) -> list[str]:
        """Names of the columns; a published one follows each that has any."""
        names = [*(self._settings() or [""]), "runs"]
        for column in self.columns:
            names += [column.name, *(["published"] if self._is_published(column) else [])]
        return names

    def cells(self) -> list[list[str]]:
        """The body."""
        lines = []
        for row in self.rows:
            named = [_setting(row.settings.get(name)) for name in self._settings()] or [row.name]
            line = [*named, str(max((len(values) for values in row.values.values()), default=0))]
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

    def to_section(self) -> TableSection:
        """A section of a page."""
        return TableSection(self.title, " ".join(_sentence(note) for note in self.notes), self.head(), self.cells())

    def to_json(self) -> dict[str, Any]:
        """Everything, with the number of each run."""
        return {
            "title": self.title,
            "columns": [column.name for column in self.columns],
            "rows": [
                {
                    "name": row.name,
                    **({"settings": dict(row.settings)} if row.settings else {}),
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

    def _settings(self) -> list[str]:
        """The names of all settings that rows have, in order."""
        return list(dict.fromkeys(name for row in self.rows for name in row.settings))

    def _is_published(self, column: Column) -> bool:
        return any(column.name in row.published for row in self.rows)


def collect_row(
    name: str,
    evaluations: Sequence[Evaluation],
    columns: Sequence[Column],
    *,
    published: dict[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> ResultsRow:
    """A row of the numbers that the evaluations of some runs have; those that are not finite are left out."""
    values = {column.name: [column.of(evaluation) for evaluation in evaluations] for column in columns}
    finite = {key: [float(x) for x in found if x is not None and math.isfinite(x)] for key, found in values.items()}
    return ResultsRow(name, finite, published or {}, settings or {})


def _cell(values: Sequence[float], digits: int) -> str:
    if not values:
        return ABSENT
    mean = f"{np.mean(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} \u00b1 {_deviation(values):.{digits}f}"


def _setting(value: Any) -> str:
    """A value of the configuration, as it is typed."""
    if value is None:
        return ABSENT
    if isinstance(value, list | tuple):
        return " ".join(map(_setting, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _deviation(values: Sequence[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def _sentence(note: str) -> str:
    return note if note.endswith(".") else f"{note}."
