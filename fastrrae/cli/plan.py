"""`fastrrae plan`."""

import math
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, ClassVar

import tyro
from rich.console import Console
from rich.table import Table

from ..atomic_files import write_json
from ..buckets import InBucket
from ..chips import SOURCE
from ..data import load_dataset
from ..errors import InputError
from ..plan import StepPlan, Topology, largest_batch, plan_step, scaling_series
from ..plan.plan import GIB, TrainingSet
from ..recipes import RECIPES, Recipe
from ..run_config import RunConfig
from ..training.resolve import recorded_data, resolve_config
from ..versions import describe_environment
from .recipe_options import RecipeOptions, recipe_choice

SMALLEST = 8  # chips in the table of weak scaling


@dataclass(frozen=True, kw_only=True)
class PlanOptions(RecipeOptions):
    """Options of `fastrrae plan RECIPE`."""

    topology: str = "v5e:4x4"
    """The slice: v4, v5e, v5p or v6e, and its chips along each axis; several as 2xv5e:16x16."""
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

    Memory, arithmetic, exchanges between chips, the largest batch that fits, and lower bounds of the time.
    """

    options: ClassVar[type[RecipeOptions]] = PlanOptions
    describe: ClassVar = staticmethod(describe)

    recipe: recipe_choice(PlanOptions, describe)  # pyright: ignore[reportInvalidTypeForm]

    def run(self) -> None:
        """Compile, and print the plan."""
        options: PlanOptions = self.recipe
        asked = options.resolve()
        topology = Topology.parse(options.topology)
        if options.json is not None and not Path(options.json).parent.is_dir():
            raise InputError(f"`json` is in the folder {Path(options.json).parent}, which does not exist")
        asked, samples = _with_samples(asked)
        console = Console()
        config = _fitted(asked, samples, topology)
        if config.training.batch_size != asked.training.batch_size:
            print(
                f"a batch of {asked.training.batch_size} cannot be shared equally by {topology.chips} chips: "
                f"planned with {config.training.batch_size}"
            )
        plan = plan_step(config, samples, topology)
        console.print(_plan_table(plan, config))
        versions = describe_environment()["versions"] | {"libtpu": version("libtpu")}
        results = {"versions": versions, "peak_rates": SOURCE, "plan": plan.as_json()}
        if options.largest_batch:
            largest = largest_batch(config, samples, topology, plan, _tell)
            if largest is None:
                print("no batch fits: use --accumulate, --remat, --precision bfloat16 or --model-devices")
            else:
                print(f"largest batch that fits: {largest.batch_size} ({largest.hbm_bytes / GIB:.2f} GiB on each chip)")
            results["largest_batch"] = largest and largest.as_json()
        if options.weak_scaling:
            plans = [_at_scale(asked, samples, other) for other in scaling_series(topology.chip)]
            console.print(_scaling_table(plans))
            results["weak_scaling"] = [at.as_json() for at in plans]
        if options.json is not None:
            write_json(Path(options.json), results)


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


def _at_scale(config: RunConfig, samples: TrainingSet, topology: Topology) -> StepPlan:
    batch_size = math.ceil(config.training.batch_size / SMALLEST) * topology.chips
    grown = replace(config, training=replace(config.training, batch_size=batch_size))
    return plan_step(_fitted(grown, samples, topology), samples, topology)


def _tell(tried: StepPlan) -> None:
    verdict = "fits" if tried.fits else "does not fit"
    print(f"a batch of {tried.batch_size} takes {tried.hbm_bytes / GIB:.2f} GiB on each chip and {verdict}", flush=True)


def _plan_table(plan: StepPlan, config: RunConfig) -> Table:
    title = f"{config.recipe}, {config.model.name}, on {plan.topology}"
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    share = f"{plan.hbm_bytes / GIB:.2f} of {plan.hbm_available / GIB:.0f} GiB"
    rows = {
        "batch": f"{plan.batch_size}",
        "compiled in": f"{plan.compile_seconds:.0f} s",
        "memory on each chip": share if plan.fits else f"{share}: does not fit",
    }
    if plan.seconds:
        rows |= {
            "arithmetic on each chip, a step": f"{plan.flops / 1e9:.1f} GFLOP",
            "bytes accessed on each chip, a step": f"{plan.bytes_accessed / GIB:.2f} GiB",
            "exchanged by each chip, a step": f"{plan.collective_bytes / 2**20:.2f} MiB",
            **_parts_of_the_exchange(plan),
            **{f"at least, by {name}": f"{1e3 * seconds:.2f} ms" for name, seconds in plan.seconds.items()},
            "a step takes at least": f"{1e3 * plan.bound:.2f} ms",
            f"an epoch ({plan.steps_per_epoch} steps) takes at least": f"{plan.bound * plan.steps_per_epoch:.1f} s",
        }
        for collective in plan.collectives:
            arrays = ", ".join("x".join(map(str, shape)) or "scalar" for shape in collective.shapes[:3])
            more = f" and {len(collective.shapes) - 3} more" if len(collective.shapes) > 3 else ""
            where = ", between slices" if collective.between_slices else ""
            rows[f"{collective.kind} of {arrays}{more}{where}"] = f"{collective.bytes / 2**20:.3f} MiB"
    for name, value in rows.items():
        table.add_row(name, value)
    return table


def _parts_of_the_exchange(plan: StepPlan) -> dict[str, str]:
    if plan.svd_bytes is None:
        return {"of it between slices": f"{plan.slice_network_bytes / 2**20:.2f} MiB"}
    return {"of it for the SVD of the batch": f"{plan.svd_bytes / 2**20:.2f} MiB"}


def _scaling_table(plans: list[StepPlan]) -> Table:
    each = plans[0].batch_size // plans[0].chips
    table = Table(title=f"weak scaling: {each} samples on each chip", title_justify="left")
    for column in ("topology", "chips", "batch", "memory, GiB", "GFLOP", "exchanged, MiB", "of it SVD, MiB"):
        table.add_column(column, justify="right")
    for plan in plans:
        numbers = (plan.hbm_bytes / GIB, plan.flops / 1e9, plan.collective_bytes / 2**20, (plan.svd_bytes or 0) / 2**20)
        table.add_row(plan.topology, str(plan.chips), str(plan.batch_size), *(f"{number:.2f}" for number in numbers))
    return table
