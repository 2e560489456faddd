"""Search the latent space of a finished run for the objects with the best scores, next to random search."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ..buckets import inside, local_folder, publish
from ..config_fields import CheckedFields, NonNegativeInt, PositiveInt
from ..folder_lock import exclusive
from ..run import Run
from .decoding import decode_objects, require_decodings
from .evaluation_log import Evaluated, EvaluationLog, Search
from .expected_improvement import choose_batch, fit_process, normal_scores
from .folder import SearchFolder
from .objective import Objective, score
from .region import Region
from .results import SearchResult, draw_progress

CANDIDATES = 3000  # of which a batch is chosen
MOST_DRAWS = 20  # times as many draws as objects that are wanted, where most are known already


@dataclass(frozen=True)
class SearchOptions(CheckedFields):
    """How a search goes."""

    section: ClassVar[str] = ""

    rounds: PositiveInt = 5
    """Rounds, in each of which the surrogate is fitted on all scores so far, and a batch is evaluated."""
    batch_size: PositiveInt = 50
    """Objects that are evaluated in a round."""
    start: PositiveInt = 250
    """Objects that are evaluated before, drawn at random; random search starts with the same ones."""
    maximise: bool = False
    """Greater scores are better; by default lower ones are."""
    decodings: PositiveInt = 1
    """How often a point is decoded, where strings can be drawn by their probabilities; the most frequent one counts.
    1: at each step the most probable rule."""
    seed: NonNegativeInt = 0
    """The same seed gives the same search."""


def optimise(
    run: Run,
    objective: Objective,
    out: str | Path | None = None,
    *,
    options: SearchOptions | None = None,
    name: str | None = None,
    overwrite: bool = False,
    report: Callable[[str], None] | None = None,
) -> SearchResult:
    """Find objects with good scores: Bayesian optimisation in the space of coefficients.

    Objects are first drawn at random from the mixture fitted on the training coefficients. Then, round by round, a
    Gaussian process is fitted on all scores, and the points of the greatest expected improvement are decoded and
    scored, all within the range and the density of the training coefficients. Strings that were scored before are not
    chosen again. Random search evaluates as many objects, drawn as those at the start.

    Everything that is evaluated is written to `out/evaluations.jsonl` at once. If the search is interrupted, the same
    call continues; more rounds go on from those that are there. `out` also gets `result.json`, the best objects
    (`best.txt` or `best.png`), and `progress.png`, the best score over the number of evaluations.

    Args:
        run: a finished run, on any data.
        objective: the function of one object: a string, or a sample (*sample_shape) in the units of the data. NaN,
            infinity or None of an object without a score.
        out: the folder, which may be in a bucket; by default `optimisation` in the run folder.
        options: see `SearchOptions`.
        name: the name of the objective, which an interrupted search is recognised by; by default its qualified name.
        overwrite: start again where there is a search already.
        report: called with messages on the progress.

    Raises:
        InputError: the objective fails, or the folder holds a search of other options, another objective or run.

    Example:
        >>> run = load_run("runs/expressions-vrrae")
        >>> found = optimise(run, expression_score, options=SearchOptions(rounds=5))
        >>> found.best[0].text
        'x+1/3+sin(x*x)'
    """
    options = options or SearchOptions()
    require_decodings(run, options.decodings)
    folder = SearchFolder(local_folder(inside(run.folder.root, "optimisation") if out is None else out))
    with exclusive(folder.root):
        folder.open(run, name or _qualified_name(objective), options, overwrite=overwrite)
        search = _Search(run, objective, options, EvaluationLog(folder.evaluations))
        for line in search.run():
            publish(folder.root)
            if report is not None:
                report(line)
        result = SearchResult.of(search.log.rows, maximise=options.maximise)
        draw_progress(result, folder.progress)
        folder.save(result, run)
    return result


class _Search:
    """A search, from the rows that its log has."""

    def __init__(self, run: Run, objective: Objective, options: SearchOptions, log: EvaluationLog):
        self.model, self.objective, self.options, self.log = run, objective, options, log

    @cached_property
    def region(self) -> Region:
        """Where is searched: fitted on all training samples, and not needed where the log lacks nothing."""
        return Region.of(self.model)

    def run(self) -> Iterator[str]:
        """Evaluate what the log lacks; yields a line after each round."""
        options = self.options
        self._evaluate_draws("start", 0, options.start)
        yield f"start: {options.start} objects, best {self._best():.4g}"
        for number in range(1, options.rounds + 1):
            if self._missing("expected improvement", number, options.batch_size):
                self._evaluate_proposals(number)
            yield f"round {number} of {options.rounds}: best {self._best():.4g}"
        for number in range(1, options.rounds + 1):
            self._evaluate_draws("random", number, options.batch_size)
        best = self._best("start", "random")
        yield f"random search with as many evaluations: best {best:.4g}"

    def _best(self, *searches: Search) -> float:
        rows = self.log.of(*(searches or ("start", "expected improvement")))
        scores = [row.score for row in rows if np.isfinite(row.score)]
        return (max if self.options.maximise else min)(scores, default=np.nan)

    def _missing(self, search: Search, number: int, count: int) -> int:
        return count - sum(row.round == number for row in self.log.of(search))

    def _evaluate_draws(self, search: Search, number: int, count: int) -> None:
        """Objects drawn from the density; those of a round are the same, however often it is interrupted."""
        missing = self._missing(search, number, count)
        if not missing:
            return
        earlier = self.log.of("start") if search == "start" else self.log.of("start", "random")
        rng = self._rng(search, number)
        points, objects = self._new_ones([row for row in earlier if row.round < number], rng, count)
        self._evaluate(search, number, points, objects, done=count - missing)

    def _new_ones(
        self, known: Sequence[Evaluated], rng: np.random.Generator, count: int
    ) -> tuple[np.ndarray, Sequence[Any]]:
        """Draws whose objects are not known; known ones as well where new ones are not found."""
        points = self.region.draw(count * (1 if self.model.codec is None else MOST_DRAWS), rng)
        objects = self._decode(points, rng)
        kept = self._different(objects, {row.text for row in known})
        kept = [*kept, *(i for i in range(len(points)) if i not in set(kept))][:count]
        return points[kept], [objects[i] for i in kept]

    def _evaluate_proposals(self, number: int) -> None:
        """The batch of a round: those candidates of which the process expects most."""
        options, rng = self.options, self._rng("expected improvement", number)
        rows = [row for row in self.log.of("start", "expected improvement") if row.round < number]
        scores = np.array([row.score for row in rows])
        values = normal_scores(-scores if options.maximise else scores)
        points = np.stack([row.coefficients for row in rows])
        process = fit_process(points / self.region.deviation, values, rng)
        candidates = self.region.candidates(points[np.argsort(values, kind="stable")], CANDIDATES, rng)
        objects = self._decode(candidates, rng)
        kept = self._different(objects, {row.text for row in rows})
        if len(kept) < options.batch_size:  # nearly all is known: some of it again, at other points
            kept = [*kept, *(i for i in range(len(candidates)) if i not in set(kept))]
        chosen = choose_batch(process, candidates[kept] / self.region.deviation, values.min(), options.batch_size)
        indices = [kept[i] for i in chosen]
        done = options.batch_size - self._missing("expected improvement", number, options.batch_size)
        self._evaluate("expected improvement", number, candidates[indices], [objects[i] for i in indices], done=done)

    def _evaluate(self, search: Search, number: int, points: np.ndarray, objects: Sequence[Any], *, done: int) -> None:
        known = {row.text: row.score for row in self.log.rows if row.text is not None}
        for point, candidate in list(zip(points, objects, strict=True))[done:]:
            text = candidate if isinstance(candidate, str) else None
            found = known[text] if text in known else score(self.objective, candidate)
            if text is not None:
                known[text] = found
            self.log.add(Evaluated(search, number, point, text, found))

    def _decode(self, points: np.ndarray, rng: np.random.Generator) -> list[Any]:
        seed = int(rng.integers(2**20))
        return list(decode_objects(self.model, points, decodings=self.options.decodings, seed=seed))

    def _different(self, objects: Sequence[Any], known: set[str | None]) -> list[int]:
        """Indices of the first of each string that is not known; of samples of numbers, all."""
        if self.model.codec is None:
            return list(range(len(objects)))
        first: dict[str, int] = {}
        for index, text in enumerate(objects):
            first.setdefault(text, index)
        return [index for text, index in first.items() if text not in known]

    def _rng(self, search: Search, number: int) -> np.random.Generator:
        kinds: tuple[Search, ...] = ("start", "expected improvement", "random")
        return np.random.default_rng([self.options.seed, kinds.index(search), number])


def _qualified_name(function: Any) -> str:
    named = function if hasattr(function, "__qualname__") else type(function)
    return f"{named.__module__}:{named.__qualname__}"
