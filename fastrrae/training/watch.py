"""What is seen of a run from outside while it trains: a heartbeat, its speed, and a profile of some steps."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
from jax.sharding import Mesh

from ..atomic_files import write_json
from ..errors import InputError
from ..processes import is_main
from ..run_folder import RunFolder
from .profile import Profiler
from .speed import StepCost, cost_of

HEARTBEAT_SECONDS = 30.0
HEARTBEAT, PLAN = "heartbeat.json", "plan.json"


@dataclass(frozen=True)
class Watch:
    """How a training is watched; nothing of it changes the bits of the run.

    Attributes:
        profile: the first and the last step to trace into `profile/` of the run folder.
        peak_tflops: the peak rate of a device, to count its utilisation by; by default what is published for it, if
            anything.
        plan: the .json file of `fastrrae plan`, kept in the run folder, for the report to compare with.
    """

    profile: tuple[int, int] | None = None
    peak_tflops: float | None = None
    plan: Path | None = None

    def check(self) -> None:
        """Raise InputError where the plan is none."""
        if self.plan is not None:
            read_plan(self.plan)

    @contextmanager
    def start(self, folder: RunFolder, batch_size: int, mesh: Mesh) -> Iterator["Watching"]:
        """The watcher of one session."""
        if self.plan is not None and is_main():
            write_json(folder.root / PLAN, {"plan": read_plan(self.plan)})
        profiler = Profiler(folder.root / "profile", *self.profile) if self.profile and is_main() else None
        watching = Watching(self, folder, batch_size, mesh, profiler)
        try:
            yield watching
        finally:
            if profiler is not None:
                profiler.stop()


@dataclass
class Watching:
    """The watcher of one session; call it before and after each step."""

    watch: Watch
    folder: RunFolder
    batch_size: int
    mesh: Mesh
    profiler: Profiler | None
    cost: StepCost | None = None
    beaten: float = -HEARTBEAT_SECONDS

    def before(self, number: int, step: Any, state: Any, batch: Any) -> None:
        """Step `number` is about to be taken."""
        if self.cost is None:
            self.cost = cost_of(step, (state, batch), self.batch_size, self.mesh, self.watch.peak_tflops)
        if self.profiler is not None:
            self.profiler.before(number, step, (state, batch))

    def after(self, number: int, results: Any) -> None:
        """Step `number` has been started; write the heartbeat where one is due."""
        if self.profiler is not None:
            self.profiler.after(number, results)
        if is_main() and time.monotonic() - self.beaten >= HEARTBEAT_SECONDS:
            jax.block_until_ready(results)  # a heartbeat says that the devices work, not that the host does
            self.beaten = time.monotonic()
            write_json(self.folder.root / HEARTBEAT, {"step": number, "time": time.time()})
            if self.folder.copy is not None:
                self.folder.copy.publish_in_background()


def read_plan(path: Path) -> dict[str, Any]:
    """What `fastrrae plan --json` wrote of the step that this run takes."""
    try:
        plan = json.loads(path.read_text(encoding="utf-8"))["plan"]
        plan = dict(plan, batch_size=int(plan["batch_size"]), topology=str(plan["topology"]))
        plan["seconds_per_step_at_least"] = float(plan["seconds_per_step_at_least"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"`plan` must be a file that `fastrrae plan --json` has written; got {path} ({error})"
        ) from None
    return plan
