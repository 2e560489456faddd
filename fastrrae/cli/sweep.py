"""`fastrrae sweep`: a grid of runs over any options of a recipe."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Annotated, Any, ClassVar, get_origin

import tyro

from ..buckets import InBucket, with_addresses
from ..compilation_cache import enable_compilation_cache
from ..config_fields import field_types, strip_annotations
from ..errors import InputError
from ..host_memory import keep_freed_memory
from ..recipes import RECIPES, Recipe
from ..run_config import RunConfig
from ..sweeps import sweep
from ..sweeps.grid import SEED, values_of
from .compare import print_table
from .recipe_options import SETTINGS, RecipeOptions, model_in, options_type, recipe_choice


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
    """The command `fastrrae sweep NAME ARGUMENTS`, whose options may have several values each.

    The first values make the configuration that all runs have in common. Each other value is parsed in the place of the
    first, and the field that changes is the one that is swept.
    """
    recipe = RECIPES[name]
    kind: Any = options_type(SweepOptions, recipe, model_in(arguments, recipe))
    groups = _options(arguments)
    of_lists = _options_of_lists(kind, recipe.config_for(model_in(arguments, recipe)))
    if any(group[0] == "--model" and len(group) > 2 for group in groups):
        raise InputError("--model must be one model in a sweep: make one for each, and `fastrrae compare` the runs")
    swept = [number for number, group in enumerate(groups) if len(group) > 2 and group[0] not in of_lists]

    def parse(values: dict[int, str]) -> SweepOptions:
        chosen = [[group[0], values.get(i, group[1])] if i in swept else group for i, group in enumerate(groups)]
        rest = [argument for group in chosen for argument in group]
        return tyro.cli(kind, args=rest, prog=f"fastrrae sweep {name}", description=describe(recipe), config=SETTINGS)

    options = parse({})
    found: dict[str, list[Any]] = {}
    for number in swept:
        flag, *texts = groups[number]
        configs = [parse({number: text}).resolve() for text in texts]
        path = _changed_field(flag, texts, configs)
        found[path] = [values_of(config)[path] for config in configs]
    if SEED in found:
        if options.seeds != (1,):
            raise InputError("give several values of --seed, or --seeds, not both")
        options = replace(options, seeds=tuple(found.pop(SEED)))
    return Sweep(options, found)


def _options(arguments: Sequence[str]) -> list[list[str]]:
    """Each option with the values that follow it; `--rank=2` is split."""
    groups: list[list[str]] = []
    for argument in arguments:
        if argument.startswith("--"):
            flag, equals, value = argument.partition("=")
            groups.append([flag.replace("_", "-"), *([value] if equals else [])])
        elif groups:
            groups[-1].append(argument)
        else:
            groups.append([argument])  # for the parser to refuse
    return groups


def _options_of_lists(kind: type, config: RunConfig) -> set[str]:
    """The options whose value is a list: several values are one value of theirs."""
    sections = [type(getattr(config, item.name)) for item in fields(config)]
    kinds = [kind, *(section for section in sections if is_dataclass(section))]
    return {
        f"--{name.replace('_', '-')}"
        for section in kinds
        for name, annotation in field_types(section).items()
        if _is_list(annotation)
    }


def _is_list(annotation: Any) -> bool:
    kind = strip_annotations(annotation)
    return tuple in (get_origin(kind), *(get_origin(part) for part in getattr(kind, "__args__", ())))


def _changed_field(flag: str, texts: Sequence[str], configs: Sequence[RunConfig]) -> str:
    """The one field that differs between the configurations."""
    all_values = [values_of(config) for config in configs]
    paths = [path for path in all_values[0] if any(values.get(path) != all_values[0][path] for values in all_values)]
    if len(paths) != 1:
        listed = ", ".join(texts)
        raise InputError(f"{flag} must have several different values that a sweep can take; got {listed}")
    return paths[0]
