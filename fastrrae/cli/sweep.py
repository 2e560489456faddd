"""`fastrrae sweep`: a grid of runs over any options of a recipe."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

import tyro

from ..buckets import InBucket, with_addresses
from ..compilation_cache import enable_compilation_cache
from ..errors import InputError
from ..host_memory import keep_freed_memory
from ..recipes import RECIPES, Recipe
from ..sweeps import sweep
from ..sweeps.grid import SEED
from .compare import print_table
from .recipe_options import RecipeOptions, recipe_choice
from .several_values import options_in, parse_several


@dataclass(frozen=True, kw_only=True)
class SweepOptions(RecipeOptions):
    """Options of `fastrrae sweep RECIPE`."""

    seeds: Annotated[tuple[int, ...], tyro.conf.arg(metavar="N | SEED SEED ...")] = (1,)
    """How many seeds, counted from --seed; or, of several numbers, which."""
    jobs: int = 1
    """Runs that train side by side, each on its share of the cores."""
    out: Annotated[str | None, tyro.conf.arg(metavar="DIR"), InBucket.OPENED] = None
    """The folder of all runs and of the table; runs/sweep-RECIPE-MODEL by default."""
    features: Annotated[str | None, tyro.conf.arg(metavar="FILE"), InBucket.READ] = None
    """Features for the FID, see `fastrrae evaluate --help`."""


def describe(recipe: Recipe) -> str:
    """What `fastrrae sweep RECIPE --help` says."""
    return (
        f"{recipe.about}.\n\nEvery option of the model, the penalties, the training and so on takes several values, as "
        f"in --rank 2 4 8 --beta 1e-4 1e-3: a run is made for each combination. Time on 2 cores of one run: "
        f"{recipe.expected_time}."
    )


@dataclass(frozen=True)
class Sweep:
    """Train and evaluate a grid of runs over any options of a recipe, and write one table with plots.

    Options take several values, as in `fastrrae sweep digits --rank 2 4 8 --beta 1e-4 1e-3 --seeds 3`. If it is
    interrupted, the same command continues; another grid with the same DIR adds runs.
    """

    options: ClassVar[type[RecipeOptions]] = SweepOptions

    recipe: recipe_choice(SweepOptions, describe)  # pyright: ignore[reportInvalidTypeForm]
    values: tyro.conf.Suppress[dict[str, list[Any]] | None] = None

    def run(self) -> None:
        """Train, evaluate, and print the table."""
        options: SweepOptions = self.recipe
        config = options.resolve()
        keep_freed_memory()  # before the first computation
        enable_compilation_cache()
        out = options.out or f"runs/sweep-{config.recipe}-{config.model.name}"
        if options.seeds == () or (len(options.seeds) == 1 and options.seeds[0] < 1):
            raise InputError(f"`seeds` must be at least 1; got {options.seeds[0] if options.seeds else 'none'}")
        results = sweep(
            config,
            self.values or {},
            out=out,
            seeds=options.seeds[0] if len(options.seeds) == 1 else options.seeds,
            jobs=options.jobs,
            features=options.features,
            report=lambda line: print(with_addresses(line)),
        )
        print_table(results.table, out)
        if results.failures:
            failed = "; ".join(f"{name}: {reason}" for name, reason in results.failures.items())
            raise InputError(f"{len(results.failures)} of the runs in {out} failed: {failed}")


def parse_sweep(name: str, arguments: Sequence[str]) -> Sweep:
    """The command `fastrrae sweep NAME ARGUMENTS`, whose options may have several values each."""
    if len(next((group for group in options_in(arguments) if group[0] == "--model"), ())) > 2:
        raise InputError("--model must be one model in a sweep: make one for each, and `fastrrae compare` the runs")
    options, found = parse_several(SweepOptions, "sweep", RECIPES[name], describe, arguments)
    if SEED in found:
        if options.seeds != (1,):
            raise InputError("give several values of --seed, or --seeds, not both")
        options = replace(options, seeds=tuple(found.pop(SEED)))
    return Sweep(options, found)
