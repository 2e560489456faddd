"""`fastrrae plan`."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, ClassVar

import tyro
from rich.console import Console
from rich.table import Table

from ..atomic_files import write_json
from ..buckets import InBucket
from ..chips import SOURCE
from ..data import load_dataset
from ..errors import InputError
from ..plan import StepPlan, Topology, dump_of_schedules, largest_batch, plan_step, scaling_series
from ..plan.plan import GIB, TrainingSet
from ..recipes import RECIPES, Recipe
from ..run_config import RunConfig
from ..sweeps.grid import runs_of_grid, setting_text, short_name, values_of
from ..training.resolve import recorded_data, resolve_config
from ..versions import describe_environment
from .plan_tables import comparison_table, plan_table
from .recipe_options import RecipeOptions, recipe_choice
from .several_values import parse_several

SMALLEST = 8  # chips in the table of weak scaling


@dataclass(frozen=True, kw_only=True)
class PlanOptions(RecipeOptions):
    """Options of `fastrrae plan RECIPE`."""

    topology: Annotated[tuple[str, ...], tyro.conf.arg(metavar="SLICE [SLICE ...]")] = ("v5e:4x4",)
    """The slice: v4, v5e, v5p or v6e, and its chips along each axis; 2xv5e:16x16 is two slices. Of several, as in
    v5e:2x4,v5e:4x4, a table compares the plans."""
    schedule: bool = True
    """Read the cycles of the SVD's kernels from the compiler's schedule; compiling takes half as long again."""
    weak_scaling: bool = False
    """Print a table from 8 to 256 chips; each chip has the share of the batch that one of 8 would have."""
    largest_batch: bool = True
    """Find the largest batch that fits; this takes two or three more compilations."""
    json: Annotated[str | None, tyro.conf.arg(metavar="FILE"), InBucket.WRITTEN] = None
    """Write the plan to this file as well."""


def describe(recipe: Recipe) -> str:
    """What `fastrrae plan RECIPE --help` says."""
    return f"{recipe.about}."


@dataclass(frozen=True)
class Plan:
    """Compile the training step for a TPU slice, without one, and report what it would need.

    Memory, arithmetic, exchanges between chips, the largest batch that fits, lower bounds of the time and the
    compiler's estimate of it. Options take several values, as in `fastrrae plan celeba --precision float32 bfloat16
    --topology v5e:2x4,v5e:16x16`: then a table compares all combinations.
    """

    options: ClassVar[type[RecipeOptions]] = PlanOptions
    describe: ClassVar = staticmethod(describe)

    recipe: recipe_choice(PlanOptions, describe)  # pyright: ignore[reportInvalidTypeForm]
    values: tyro.conf.Suppress[dict[str, list[Any]] | None] = None

    def run(self) -> None:
        """Compile, and print the plan."""
        options: PlanOptions = self.recipe
        asked = options.resolve()
        topologies = [Topology.parse(text) for texts in options.topology for text in texts.split(",")]
        if not topologies:
            raise InputError("`topology` must be at least one slice, such as v5e:4x4; got none")
        if options.json is not None and not Path(options.json).parent.is_dir():
            raise InputError(f"`json` is in the folder {Path(options.json).parent}, which does not exist")
        asked, samples = _with_samples(asked)
        dump = dump_of_schedules() if options.schedule else None
        planner = _Planner(samples, None if dump is None else Path(dump.name))
        if len(topologies) > 1 or self.values:
            if options.weak_scaling:
                raise InputError("`weak_scaling` is for one topology and one value of each option: give one of each")
            results = planner.compare(asked, self.values or {}, topologies)
        else:
            results = planner.plan(asked, topologies[0], options)
        if options.json is not None:
            versions = describe_environment()["versions"] | {"libtpu": version("libtpu")}
            write_json(Path(options.json), {"versions": versions, "peak_rates": SOURCE, **results})


def parse_plan(name: str, arguments: Sequence[str]) -> Plan:
    """The command `fastrrae plan NAME ARGUMENTS`, whose options may have several values each."""
    return Plan(*parse_several(PlanOptions, "plan", RECIPES[name], describe, arguments))


@dataclass(frozen=True)
class _Planner:
    """Compiles, prints, and returns what goes into the JSON file."""

    samples: TrainingSet
    schedules: Path | None

    def step(self, config: RunConfig, topology: Topology) -> StepPlan:
        """The plan of a batch that the chips can share."""
        return plan_step(_fitted(config, self.samples, topology), self.samples, topology, self.schedules)

    def plan(self, asked: RunConfig, topology: Topology, options: PlanOptions) -> dict[str, Any]:
        """Of one configuration on one topology."""
        console = Console()
        config = _fitted(asked, self.samples, topology)
        if config.training.batch_size != asked.training.batch_size:
            print(
                f"a batch of {asked.training.batch_size} cannot be shared equally by {topology.chips} chips: "
                f"planned with {config.training.batch_size}"
            )
        plan = plan_step(config, self.samples, topology, self.schedules)
        console.print(plan_table(plan, config))
        results: dict[str, Any] = {"plan": plan.as_json()}
        if options.largest_batch:
            largest = largest_batch(config, self.samples, topology, plan, _tell, self.schedules)
            if largest is None:
                print("no batch fits: use --accumulate, --remat, --precision bfloat16 or --model-devices")
            else:
                print(f"largest batch that fits: {largest.batch_size} ({largest.hbm_bytes / GIB:.2f} GiB on each chip)")
            results["largest_batch"] = largest and largest.as_json()
        if options.weak_scaling:
            plans = [self.step(_at_scale(asked, other), other) for other in scaling_series(topology.chip)]
            each = plans[0].batch_size // plans[0].chips
            _print_wide(comparison_table(f"weak scaling: {each} samples on each chip", [({}, p) for p in plans]))
            results["weak_scaling"] = [at.as_json() for at in plans]
        return results

    def compare(self, asked: RunConfig, values: dict[str, list[Any]], topologies: Sequence[Topology]) -> dict[str, Any]:
        """Of all combinations of values and topologies."""
        plans: list[tuple[dict[str, str], StepPlan]] = []
        for run in runs_of_grid(asked, values, [asked.training.seed]):
            settings = {short_name(path): setting_text(values_of(run.config)[path]) for path in values}
            for topology in topologies:
                plans.append((settings, self.step(run.config, topology)))
                _tell(plans[-1][1])
        _print_wide(comparison_table(f"{asked.recipe}, {asked.model.name}", plans))
        return {"comparison": [{"settings": settings, **plan.as_json()} for settings, plan in plans]}


def _with_samples(config: RunConfig) -> tuple[RunConfig, TrainingSet]:
    """The configuration, of strings with their grammar, and count and shape of the training set.

    They are those of the data if there is any, or as they were published.
    """
    published = RECIPES[config.recipe].published
    if config.data.data is None and published is not None:
        return config, TrainingSet(*published)
    dataset = load_dataset(config.data)
    train = dataset.train
    samples = TrainingSet(len(train), tuple(train.shape[1:]), str(train.dtype))
    return replace(config, data=recorded_data(config.data, dataset)), samples


def _fitted(config: RunConfig, samples: TrainingSet, topology: Topology) -> RunConfig:
    """The configuration, its batch rounded up to one that the chips can share."""
    training = config.training
    unit = max(1, topology.chips // config.sharding.model_devices) * training.accumulate
    batch_size = math.ceil(training.batch_size / unit) * unit
    return resolve_config(replace(config, training=replace(training, batch_size=batch_size)), samples.count)


def _at_scale(config: RunConfig, topology: Topology) -> RunConfig:
    """With the share of the batch on each chip that one of 8 chips would have."""
    batch_size = math.ceil(config.training.batch_size / SMALLEST) * topology.chips
    return replace(config, training=replace(config.training, batch_size=batch_size))


def _print_wide(table: Table) -> None:
    """Print all columns, also where the output is no terminal, or a narrow one: a line may wrap, but nothing is cut."""
    console = Console()
    console.width = max(console.width, 160)
    console.print(table)


def _tell(tried: StepPlan) -> None:
    verdict = "fits" if tried.fits else "does not fit"
    print(f"a batch of {tried.batch_size} takes {tried.hbm_bytes / GIB:.2f} GiB on each chip and {verdict}", flush=True)
