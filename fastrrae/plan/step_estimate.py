"""How long the TPU compiler expects a step to take, by the parts of the step."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..models.svd_of_batch import SCOPE
from ..training.profile import scopes_in
from .svd_loops import loop_counts
from .tpu_schedules import FILES, program_parts

PARTS = ("encoder", SCOPE, "decoder", "objective", "optimiser")
OTHER = "other"  # the noise of a VRRAE, the running statistics, what joins the parts

# The singular values that loops of the SVD are counted for: they fall to 1e-3 at the rank, as those of trained latents.
LIKE_TRAINED = "1e-3 at the rank"

_KERNEL = 'custom_call_target="tpu_custom_call"'


@dataclass(frozen=True)
class StepEstimate:
    """The compiler's estimate of a step on each chip. Nothing was run.

    Cycles are those of XLA's own cost model; those of the SVD's kernels, which it does not know, are read from the
    compiler's schedule, with the loops counted for `LIKE_TRAINED`. Exchanges are taken to overlap with nothing, and to
    take the least time that the published bandwidth allows.
    """

    cycles: dict[str, float]  # by part of the step
    clock: float  # cycles a second
    exchange_seconds: float
    kernels_scheduled: bool  # False: this compiler left no schedules, so that the kernels are missing in `cycles`

    @property
    def seconds(self) -> float:
        """Of a step."""
        return sum(self.cycles.values()) / self.clock + self.exchange_seconds

    @property
    def svd_share(self) -> float | None:
        """Which part of these seconds is the SVD of the batch, without its exchanges; None where it is not known."""
        return self.cycles[SCOPE] / self.clock / self.seconds if self.kernels_scheduled and self.seconds else None

    def as_json(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return {
            "seconds": self.seconds,
            "svd_share": self.svd_share,
            "cycles": {part: round(cycles) for part, cycles in self.cycles.items()},
            "clock": self.clock,
            "exchange_seconds": self.exchange_seconds,
            "kernels_scheduled": self.kernels_scheduled,
        }


def estimate_step(
    program: str, schedules: Path | None, clock: float, exchange_seconds: float, svd: tuple[int, int, bool]
) -> StepEstimate:
    """From the text of a compiled step.

    Args:
        program: its text.
        schedules: the folder of the compiler's schedules of this program; None if it left none.
        clock: cycles a second.
        exchange_seconds: of all exchanges.
        svd: the smaller side of the latent matrix, the rank, and whether its rows are sharded.
    """
    kernels = _KERNEL in program
    scheduled = schedules is not None and any(schedules.glob(FILES))
    size, rank, sharded = svd
    counts = loop_counts(LIKE_TRAINED, size, size, rank, sharded=sharded) if kernels and scheduled else {}
    cycles: dict[str, float] = dict.fromkeys((*PARTS, OTHER), 0.0)
    for part in program_parts(program, schedules if scheduled else None, counts, prefer_estimates=True):
        cycles[next((name for name in scopes_in(part.origin) if name in PARTS), OTHER)] += part.cycles
    return StepEstimate(cycles, clock, exchange_seconds, scheduled or not kernels)
