"""Trials of the optimiser in latent space as part of a table: one search for each seed, in the run's folder."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..buckets import inside
from ..latent_optimisation import SearchOptions, SearchResult, optimise
from ..latent_optimisation.evaluation_log import Evaluated
from ..latent_optimisation.objective import Objective
from ..run import Run


@dataclass(frozen=True)
class SearchTrials:
    """Which searches are made on each run of a table.

    Attributes:
        objective: of an object.
        options: the options of a search; its seed is that of the first trial.
        trials: how many searches, with seeds one after the other.
        names: the names of the columns of the best scores, the best first.
        valid: whether a string is a valid object; by default, whether the grammar derives it.
        check: raises where a package is missing that the objective needs; called before anything is trained.
    """

    objective: Objective
    options: SearchOptions
    trials: int
    names: Sequence[str]
    valid: Callable[[str], bool] | None = None
    check: Callable[[], None] | None = None

    def scaled_down(self) -> "SearchTrials":
        """One short trial, to check that everything works."""
        return replace(self, options=replace(self.options, rounds=1, batch_size=5, start=20), trials=1)

    def run(self, run: Run, report: Callable[[str], None]) -> dict[str, float]:
        """Search, or continue where a search was interrupted; the results by column."""
        found = []
        for trial in range(self.trials):
            options = replace(self.options, seed=self.options.seed + trial)
            out = inside(run.folder.root, f"optimisation-{trial}")
            found.append(optimise(run, self.objective, out, options=options))
            report(f"trial {trial + 1} of {self.trials}: best {_score_of(found[-1].best):.3f}")
        return self._summarise(run, found)

    def _summarise(self, run: Run, found: Sequence[SearchResult]) -> dict[str, float]:
        rows = tuple(row for result in found for row in result.evaluations)
        best = SearchResult(rows, (), self.options.maximise).best
        random = SearchResult((), tuple(row for result in found for row in result.random), self.options.maximise)
        proposed = [row for result in found for row in result.proposed]
        is_valid = self.valid or (run.codec.is_valid if run.codec is not None else lambda text: True)
        valid = np.mean([is_valid(row.text or "") for row in proposed])
        scores = {name: row.score for name, row in zip(self.names, best, strict=False)}
        return {
            **scores,
            "best of random search": _score_of(random.best_of_random),
            "valid proposals, %": 100 * float(valid),
            "average score": float(np.mean([result.mean_score for result in found])),
        }


def _score_of(best: Sequence[Evaluated]) -> float:
    return best[0].score if best else float("nan")
