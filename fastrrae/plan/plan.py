"""Compile the training step of a configuration for a TPU slice, and count what it needs."""

import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

from ..data import Normalisation
from ..errors import InputError, first_line
from ..models.svd_of_batch import SCOPE
from ..run_config import RunConfig
from ..training.mesh import data_devices, make_mesh
from ..training.own_parts import OwnParts
from ..training.sharding import batch_sharding, state_shardings
from ..training.step import describe_step, jit_on_mesh, options_on, step_options
from .collectives import Collective, collectives_of
from .step_estimate import StepEstimate, estimate_step
from .topology import Topology
from .tpu_schedules import clear

GIB = 2**30


@dataclass(frozen=True)
class TrainingSet:
    """What a plan must know of a training set."""

    count: int
    shape: tuple[int, ...]
    dtype: str = "uint8"


@dataclass(frozen=True)
class StepPlan:
    """One training step on one slice; flops, bytes and collectives are those of each device."""

    topology: str
    chips: int
    batch_size: int
    fits: bool
    hbm_bytes: int  # needed
    hbm_available: int
    compile_seconds: float
    flops: float
    bytes_accessed: float
    collectives: tuple[Collective, ...]
    seconds: dict[str, float]  # lower bounds of a step: arithmetic, memory, communication
    steps_per_epoch: int
    estimate: StepEstimate | None = None  # by the compiler; None where the step does not fit

    @property
    def collective_bytes(self) -> int:
        """Of all exchanges of a step."""
        return sum(collective.bytes for collective in self.collectives)

    @property
    def moved_bytes(self) -> int:
        """That each chip sends at least within its slice, if there are many: a sum takes two passes."""
        return sum(collective.moved for collective in self.collectives if not collective.between_slices)

    @property
    def slice_network_bytes(self) -> int:
        """Of them, those that each chip sends to other slices, over the data-centre network."""
        return sum(collective.bytes for collective in self.collectives if collective.between_slices)

    @property
    def svd_bytes(self) -> int | None:
        """Of the exchanges for the SVD of the batch, forward and backward.

        None for several slices: their compiled program does not say what an exchange is for.
        """
        if any(collective.between_slices for collective in self.collectives):
            return None
        return sum(collective.bytes for collective in self.collectives if SCOPE in collective.origin)

    @property
    def bound(self) -> float:
        """No step can be faster, in seconds."""
        return max(self.seconds.values())

    @property
    def samples_per_second(self) -> float | None:
        """By the compiler's estimate, of all chips together."""
        return None if self.estimate is None else self.batch_size / self.estimate.seconds

    def as_json(self) -> dict[str, Any]:
        """All of it as JSON values."""
        plain = [name for name in self.__dataclass_fields__ if name not in ("collectives", "estimate")]
        return {
            **{name: getattr(self, name) for name in plain},
            "estimate": self.estimate and self.estimate.as_json(),
            "samples_per_second": self.samples_per_second,
            "collective_bytes": self.collective_bytes,
            "moved_bytes": self.moved_bytes,
            "slice_network_bytes": self.slice_network_bytes,
            "svd_bytes": self.svd_bytes,
            "seconds_per_step_at_least": self.bound,
            "seconds_per_epoch_at_least": self.bound * self.steps_per_epoch,
            "collectives": [
                {
                    "kind": c.kind,
                    "bytes": c.bytes,
                    "between_slices": c.between_slices,
                    "svd": SCOPE in c.origin,
                    "shapes": [list(shape) for shape in c.shapes],
                }
                for c in self.collectives
            ],
        }


def plan_step(config: RunConfig, samples: TrainingSet, topology: Topology, schedules: Path | None = None) -> StepPlan:
    """Compile the step for `config.training.batch_size` on `topology`.

    The state lies on the mesh as in training, and the batch holds raw values as the reader returns them. If the step
    does not fit into a chip's memory, the plan says so, with the memory that it would take. `schedules` is where the
    compiler leaves its schedules, which the estimate of the SVD's kernels is read from: `dump_of_schedules`.
    """
    training = config.training
    mesh = make_mesh(config.sharding, topology.devices())
    model = OwnParts().build(config, samples.shape)
    options = options_on(mesh, step_options(config, samples.shape, Normalisation(0.0, 255.0)))
    state, step = describe_step(model, options)
    shardings = state_shardings(state, mesh, shard_state=options.shard_state)
    laid_out = jax.tree.map(
        lambda leaf, sharding: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding),
        state,
        shardings,
    )
    shape = (training.batch_size, math.prod(samples.shape))
    batch = jax.ShapeDtypeStruct(shape, np.dtype(samples.dtype), sharding=batch_sharding(mesh))
    if schedules is not None:
        clear(schedules)
    started = time.perf_counter()
    facts: dict[str, Any]
    try:
        with jax.set_mesh(mesh):
            compiled = (
                jit_on_mesh(step, shardings, mesh).trace(laid_out, batch).lower(lowering_platforms=("tpu",)).compile()
            )
        seconds = round(time.perf_counter() - started, 1)
        facts = _facts(compiled, topology)
        facts["estimate"] = _estimate(compiled, topology, facts["seconds"], schedules, config, data_devices(mesh))
    except jax.errors.JaxRuntimeError as error:
        seconds = round(time.perf_counter() - started, 1)
        facts = _too_large(str(error))
    return StepPlan(
        topology=str(topology),
        chips=mesh.size,
        batch_size=training.batch_size,
        hbm_available=int(topology.chip.hbm_bytes),
        compile_seconds=seconds,
        steps_per_epoch=math.ceil(samples.count / training.batch_size),
        **facts,
    )


def _facts(compiled: Any, topology: Topology) -> dict[str, Any]:
    memory, cost = compiled.memory_analysis(), compiled.cost_analysis()
    collectives = tuple(collectives_of(compiled.as_text()))
    flops, accessed = float(cost["flops"]), float(cost["bytes accessed"])
    needed = (
        memory.argument_size_in_bytes
        + memory.output_size_in_bytes
        - memory.alias_size_in_bytes
        + memory.temp_size_in_bytes
        + memory.generated_code_size_in_bytes
    )
    chip = topology.chip
    # Over all links of a chip at best.
    of_slice = topology.chips // topology.slices
    exchanged = sum(c.moved for c in collectives if not c.between_slices) * (of_slice - 1) / of_slice
    # The compiler's count of traffic includes what stays on the chip. State and batch are read, and the state written.
    moved = memory.argument_size_in_bytes + memory.output_size_in_bytes
    seconds = {
        "arithmetic": flops / chip.bfloat16_flops,
        "memory": moved / chip.hbm_bytes_per_second,
        "communication": exchanged / chip.link_bytes_per_second,
    }
    sent = sum(c.bytes for c in collectives if c.between_slices)
    if topology.slices > 1 and chip.slice_network_bytes_per_second is not None:
        # A sum over S slices moves its parts out and in once at least, 2 (S - 1) / S times their size.
        share = 2 * (topology.slices - 1) / topology.slices
        seconds["communication between slices"] = share * sent / chip.slice_network_bytes_per_second
    return {
        "fits": needed <= chip.hbm_bytes,
        "hbm_bytes": int(needed),
        "flops": flops,
        "bytes_accessed": accessed,
        "collectives": collectives,
        "seconds": seconds,
    }


def _estimate(
    compiled: Any, topology: Topology, bounds: dict[str, float], schedules: Path | None, config: RunConfig, shards: int
) -> StepEstimate:
    exchange = sum(seconds for name, seconds in bounds.items() if name.startswith("communication"))
    batch_size = config.training.batch_size // config.training.accumulate
    size = min(batch_size, getattr(config.model, "latent_size", batch_size))  # a model of one's own may have none
    svd = (size, min(config.model.rank, size), shards > 1)
    return estimate_step(compiled.as_text(), schedules, topology.chip.clock, exchange, svd)


def _too_large(message: str) -> dict[str, Any]:
    """What the compiler says of a program that does not fit; any other failure of it is raised."""
    found = re.search(r"(?:Used |required for HLO temporaries \()([\d.]+)([KMG])", message)
    if found is None:
        raise InputError(f"the TPU compiler cannot compile this step: {first_line(message)}")
    unit = {"K": 2**10, "M": 2**20, "G": 2**30}[found[2]]
    return {
        "fits": False,
        "hbm_bytes": int(float(found[1]) * unit),
        "flops": 0.0,
        "bytes_accessed": 0.0,
        "collectives": (),
        "seconds": {},
    }


def largest_batch(
    config: RunConfig,
    samples: TrainingSet,
    topology: Topology,
    plan: StepPlan,
    tell: Callable[[StepPlan], None],
    schedules: Path | None = None,
) -> StepPlan | None:
    """The plan of the largest batch that fits, to within a tenth; None if not even the smallest does.

    Compiles a handful of sizes: larger ones while they fit, then between the largest that fits and the smallest that
    does not, each where a straight line through the memories of the last two says. `tell` hears of each.
    """
    parts = data_devices(make_mesh(config.sharding, topology.devices())) * config.training.accumulate

    def at(units: int) -> StepPlan:
        training = replace(config.training, batch_size=units * parts)
        return plan_step(replace(config, training=training), samples, topology, schedules)

    smallest = -(-config.model.rank // parts)  # a rank cannot exceed its batch
    fits, fails = (plan, None) if plan.fits else (None, plan)
    before = None  # the size before the largest that fits
    while True:
        below = fits.batch_size // parts if fits else smallest - 1
        above = fails.batch_size // parts if fails else None
        if above is not None and above - below <= max(1, below // 10):
            return fits
        other = fails or before
        on_line = 0
        if other is not None:
            floor, reached = (fits.hbm_bytes, below) if fits else (0, 0)
            growth = (other.hbm_bytes - floor) / (other.batch_size // parts - reached)
            on_line = reached + int((plan.hbm_available - floor) / max(growth, 1.0))
        if above is None:
            units = min(max(on_line, 2 * below), 16 * below)
        else:
            step = max(1, (above - below) // 8)  # away from both ends, or the last tenth takes for ever
            units = min(max(on_line, below + step), above - step)
        candidate = at(units)
        tell(candidate)
        if candidate.fits:
            before, fits = fits, candidate
        else:
            fails = candidate
