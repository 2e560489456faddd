"""Checkpoints of a run, written by orbax in the background; each appears under its name only when it is complete."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orbax.checkpoint as ocp

from ..errors import InputError

KEEP = 2


class Checkpoint(NamedTuple):
    """What one checkpoint holds."""

    step: int
    arrays: dict[str, np.ndarray]  # see `state_arrays`
    progress: dict[str, Any]  # JSON: position of the input pipeline


class CheckpointStore:
    """The `checkpoints/` folder of a run; a context manager, which waits for writes on leaving."""

    def __init__(self, folder: Path):
        options = ocp.CheckpointManagerOptions(max_to_keep=KEEP, enable_async_checkpointing=True)
        self._manager = ocp.CheckpointManager(folder.resolve(), options=options)

    def __enter__(self) -> "CheckpointStore":
        return self

    def __exit__(self, *_: object) -> None:
        self.wait()
        self._manager.close()

    def wait(self) -> None:
        """Return once everything saved so far is complete on disk."""
        self._manager.wait_until_finished()

    def save(self, checkpoint: Checkpoint) -> None:
        """Start writing; the arrays must not be changed afterwards."""
        parts = ocp.args.Composite(
            arrays=ocp.args.StandardSave(checkpoint.arrays), progress=ocp.args.JsonSave(checkpoint.progress)
        )
        self._manager.save(checkpoint.step, args=parts, force=True)

    @property
    def latest_step(self) -> int | None:
        """Step of the newest complete checkpoint."""
        return self._manager.latest_step()

    def restore_latest(self) -> Checkpoint:
        """Read the newest complete checkpoint."""
        step = self.latest_step
        if step is None:
            raise InputError(f"{self._manager.directory} holds no complete checkpoint: train the run first")
        parts = ocp.args.Composite(arrays=ocp.args.StandardRestore(), progress=ocp.args.JsonRestore())
        restored = self._manager.restore(step, args=parts)
        arrays = {name: np.asarray(value) for name, value in restored["arrays"].items()}
        return Checkpoint(step, arrays, restored["progress"])
