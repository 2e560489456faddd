"""How fast a run trains: samples and arithmetic a second and device, against what the device could do at best."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
from jax.sharding import Mesh

from ..chips import peak_flops

JUDGED_AFTER = 10.0  # seconds of training
INPUT_BOUND = 0.2  # of the time of the steps: waiting for batches longer is worth a warning


@dataclass(frozen=True)
class StepCost:
    """What a step takes of each device.

    Attributes:
        samples: the number of samples of a batch on each device.
        flops: floating-point operations on each device, as the compiler counts them before it optimises: what the model
            needs, without what is computed again. Calls of libraries, such as LAPACK's, are not counted.
        peak: the most that a device does in a second; None where that is not known.
    """

    samples: float
    flops: float | None
    peak: float | None

    def rates(self, steps_per_second: float) -> dict[str, float]:
        """Columns of `metrics.jsonl`."""
        rates = {"samples_per_second_per_device": self.samples * steps_per_second}
        if self.flops and self.peak:
            rates["flops_utilisation"] = self.flops * steps_per_second / self.peak
        return rates


def cost_of(step: Any, arguments: tuple[Any, ...], batch_size: int, mesh: Mesh, peak_tflops: float | None) -> StepCost:
    """The cost of a step, traced for `arguments`; its arithmetic is only counted where a peak rate is known.

    Args:
        step: the jitted step.
        arguments: a state and a batch.
        batch_size: the size of the whole batch.
        mesh: the devices that share it.
        peak_tflops: the peak rate of a device, in 10^12 operations a second; by default what is published for it, if
            anything.
    """
    peak = peak_tflops * 1e12 if peak_tflops is not None else peak_flops(jax.devices()[0].device_kind)
    flops = None
    if peak is not None:
        counted: Mapping[str, float] = step.lower(*arguments).cost_analysis() or {}
        flops = float(counted.get("flops", 0.0)) / mesh.size
    return StepCost(batch_size / mesh.size, flops, peak)


@dataclass
class SlowInput:
    """Notices, once, that the devices wait for batches for more than a fifth of the time."""

    waited: float = 0.0
    seconds: float = 0.0
    batches: int = 0
    said: bool = False

    def after(self, waited: float, seconds: float, batches: int) -> str:
        """The warning after this number of further batches; empty if there is none, or if it has been given."""
        self.waited, self.seconds, self.batches = self.waited + waited, self.seconds + seconds, self.batches + batches
        if self.said or self.seconds < JUDGED_AFTER or self.waited < INPUT_BOUND * self.seconds:
            return ""
        self.said = True
        return (
            f"the input bounds the speed: {100 * self.waited / self.seconds:.0f} % of the time is spent waiting for "
            f"batches, and {self.batches / self.seconds:.1f} are read a second. More readers (`data.workers`) or a "
            f"faster disk may help"
        )
