"""What a search has found, in numbers and as a picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..evaluation.figure_style import ACCENT, MUTED, house_style, save_figure
from .evaluation_log import Evaluated, Search

BEST = 10


@dataclass(frozen=True)
class SearchResult:
    """The evaluations of a search and of random search, which start with the same ones.

    Attributes:
        evaluations: the evaluations of the search, in order.
        random: of random search, as many.
        maximise: whether greater scores are better.
    """

    evaluations: tuple[Evaluated, ...]
    random: tuple[Evaluated, ...]
    maximise: bool = False

    @classmethod
    def of(cls, rows: Sequence[Evaluated], *, maximise: bool = False) -> "SearchResult":
        """From all rows of a log."""

        def of(search: Search) -> tuple[Evaluated, ...]:
            return tuple(row for row in rows if row.search in ("start", search))

        return cls(of("expected improvement"), of("random"), maximise)

    @property
    def best(self) -> list[Evaluated]:
        """The best ten of the search, the best first; of strings, ten different ones."""
        return self._best_of(self.evaluations)

    @property
    def best_of_random(self) -> list[Evaluated]:
        """Likewise, of random search."""
        return self._best_of(self.random)

    @property
    def proposed(self) -> list[Evaluated]:
        """What was chosen by expected improvement, without the start."""
        return [row for row in self.evaluations if row.search == "expected improvement"]

    @property
    def scored_share(self) -> float:
        """Of the proposed objects, those that have a score, from 0 to 1."""
        return float(np.mean([np.isfinite(row.score) for row in self.proposed]))

    @property
    def mean_score(self) -> float:
        """Over the proposed objects that have one; NaN if none has."""
        scores = [row.score for row in self.proposed if np.isfinite(row.score)]
        return float(np.mean(scores)) if scores else float("nan")

    def to_json(self) -> dict[str, Any]:
        """What `result.json` holds."""
        return {
            "evaluations": len(self.evaluations),
            "best": [{"object": row.text, "score": row.score} for row in self.best],
            "best_of_random_search": [{"object": row.text, "score": row.score} for row in self.best_of_random],
            "proposed": len(self.proposed),
            "share_of_proposed_with_a_score": self.scored_share,
            "mean_score_of_proposed": self.mean_score,
        }

    def _best_of(self, rows: Sequence[Evaluated]) -> list[Evaluated]:
        scored = [row for row in rows if np.isfinite(row.score)]
        scored.sort(key=lambda row: -row.score if self.maximise else row.score)
        seen: set[Any] = set()
        different = []
        for number, row in enumerate(scored):
            key = number if row.text is None else row.text
            if key not in seen:
                seen.add(key)
                different.append(row)
        return different[:BEST]


def draw_progress(result: SearchResult, path: Path) -> None:
    """The best score so far against the number of evaluations, of the search and of random search."""
    best_so_far = np.fmax.accumulate if result.maximise else np.fmin.accumulate
    with house_style():
        figure = Figure(figsize=(5.2, 3.0), layout="constrained")
        ax = figure.subplots()
        for rows, label, colour in (
            (result.random, "random search", MUTED),
            (result.evaluations, "expected improvement", ACCENT),
        ):
            scores = np.array([row.score for row in rows])
            ax.step(np.arange(1, len(scores) + 1), best_so_far(scores), where="post", color=colour, label=label)
        start = sum(row.search == "start" for row in result.evaluations)
        ax.axvline(start, color=MUTED, linewidth=0.6, linestyle=":")
        ax.set(xlabel="evaluations", ylabel="best score")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.legend(frameon=False)
        save_figure(figure, path)
