"""Checkpoints of a run in a bucket: written to the local disk of the main process, and sent from there."""

import json
import math
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax

from ..buckets import FolderCopy
from ..buckets.address import Objects
from ..checksums import file_digest
from ..errors import InputError, first_line
from ..processes import ProcessLost, is_main, wait_for_all
from .checkpoint import BEST_BY, Checkpoint, CheckpointStore
from .sharding import whole_arrays

_COMPLETE = "COMPLETE"  # the object that makes a checkpoint of files: sizes and digests of all, and its error
SENDERS = 8  # files that are sent at the same time


class BucketCheckpoints:
    """The `checkpoints/` of a run in a bucket, with the methods of `CheckpointStore`.

    A checkpoint is an orbax folder in the bucket, as on a disk. Objects cannot be renamed together, so one more object,
    `COMPLETE`, is written after all files: a checkpoint without it does not exist. Files are compared with its digests
    when they are fetched. Arrays that are cut over the devices of several hosts are gathered on each before the main
    process writes them. Sending goes on in the background while training continues.

    Args:
        copy: the local copy of the run.
        keep_last, keep_best, report: as for `CheckpointStore`.
        alone: opened by this process only, to read.
    """

    def __init__(
        self,
        copy: FolderCopy,
        *,
        keep_last: int = 2,
        keep_best: int = 0,
        report: Callable[[str], None] = print,
        alone: bool = False,
    ):
        self._copy, self._objects = copy, copy.objects.below("checkpoints")
        self._keep_last, self._keep_best, self._report = keep_last, keep_best, report
        self._sender = ThreadPoolExecutor(1, "checkpoints")
        self._sending: Future[None] | None = None
        self._complete, partial = self._list()
        self._latest = max(self._complete, default=None)
        if not alone:
            wait_for_all("checkpoints in the bucket listed")
            if is_main():
                for name in partial:  # of a process that was killed while it sent them
                    self._objects.remove(name)

    def __enter__(self) -> "BucketCheckpoints":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is not ProcessLost:
                self.wait()
        finally:
            self._sender.shutdown()
            self._copy.discard_checkpoints()

    def wait(self) -> None:
        """Return once everything saved so far is complete in the bucket; where that failed, it is raised here."""
        sending, self._sending = self._sending, None
        if sending is not None:
            sending.result()

    def save(self, checkpoint: Checkpoint, metrics: Mapping[str, float] | None = None) -> None:
        """Start writing and sending. What went wrong with the checkpoint before is raised here."""
        arrays = whole_arrays(checkpoint.arrays)  # by all processes together
        self._latest = checkpoint.step
        if not is_main():
            return
        self.wait()
        # In another thread, which is not within the mesh of all processes: only this one computes there.
        self._sending = self._sender.submit(self._write, checkpoint._replace(arrays=arrays), dict(metrics or {}))

    @property
    def latest_step(self) -> int | None:
        """Step of the newest checkpoint, which may still be on its way."""
        return self._latest

    def require_step(self, step: int) -> int:
        """`step`, if there is a checkpoint of it."""
        if step not in self._complete:
            raise InputError(
                f"{self._objects.address} has no checkpoint of step {step}; there are "
                f"{', '.join(map(str, sorted(self._complete)))}"
            )
        return step

    def restore_newest(self, expected: Mapping[str, jax.ShapeDtypeStruct] | None = None) -> Checkpoint:
        """As `CheckpointStore.restore_newest`."""
        for step in sorted(self._complete, reverse=True):
            try:
                return self.restore(step, expected)
            except InputError:
                raise
            except Exception as error:  # orbax and tensorstore have no common error for files that are damaged
                if is_main():
                    place = f"the checkpoint of step {step} in {self._objects.address}"
                    self._report(f"{place} is damaged and skipped: {first_line(error)}")
        raise InputError(f"{self._objects.address} holds no checkpoint that is whole: train the run first, or again")

    def restore(self, step: int, expected: Mapping[str, jax.ShapeDtypeStruct] | None = None) -> Checkpoint:
        """Fetch and read the checkpoint of one step; any exception but InputError says that it is damaged."""
        self._copy.discard_checkpoints()
        for name, facts in self._complete[step]["files"].items():
            file = self._local() / str(step) / name
            try:
                self._objects.fetch(f"{step}/{name}", file)
            except FileNotFoundError:
                raise ValueError(f"{name} is missing") from None
            if _facts(file) != facts:
                raise ValueError(f"{name} is not what was written")
        with CheckpointStore(self._local(), alone=True) as local:
            return local.restore(step, expected)

    def set_aside(self, newer_than: int) -> None:
        """Delete checkpoints newer than a step, which were found damaged, before those to come take their names."""
        for step in [step for step in self._complete if step > newer_than]:
            if is_main():
                self._remove(step)
                self._report(f"the damaged checkpoint of step {step} in {self._objects.address} is deleted")
            del self._complete[step]
        self._latest = max(self._complete, default=None)
        wait_for_all("damaged checkpoints deleted")

    def _local(self) -> Path:
        return self._copy.local / "checkpoints"

    def _list(self) -> tuple[dict[int, dict[str, Any]], list[str]]:
        """What the complete checkpoints say of themselves, by step, and the names of all that belongs to none."""
        names, complete = self._objects.names(), {}
        for name in names:
            step, _, rest = name.partition("/")
            if rest == _COMPLETE and step.isdigit():
                try:
                    complete[int(step)] = json.loads(self._objects.read(name))
                except (FileNotFoundError, ValueError):
                    continue
        return complete, [name for name in names if name.partition("/")[0] not in map(str, complete)]

    def _write(self, checkpoint: Checkpoint, metrics: dict[str, float]) -> None:
        self._local().mkdir(parents=True, exist_ok=True)
        with CheckpointStore(self._local(), keep_last=1, alone=True) as local:
            local.save(checkpoint)
        self._send(checkpoint.step, metrics)

    def _send(self, step: int, metrics: dict[str, float]) -> None:
        folder = self._local() / str(step)
        files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
        facts = {name: _facts(path) for name, path in files.items()}
        with ThreadPoolExecutor(SENDERS) as senders:
            sent = [senders.submit(self._objects.send, path, f"{step}/{name}") for name, path in files.items()]
            for each in sent:
                each.result()
        self._copy.publish()  # the metrics up to here: a checkpoint is never newer than they are
        self._complete[step] = {"files": facts, "error": metrics.get(BEST_BY, math.inf)}
        self._objects.write(f"{step}/{_COMPLETE}", json.dumps(self._complete[step]).encode())
        for old in self._complete.keys() - self._kept():
            self._remove(old)
            del self._complete[old]

    def _kept(self) -> set[int]:
        steps = sorted(self._complete)
        by_error = sorted(steps, key=lambda step: self._complete[step]["error"])
        best = [step for step in by_error if math.isfinite(self._complete[step]["error"])]
        return {*steps[-self._keep_last :], *best[: self._keep_best]}

    def _remove(self, step: int) -> None:
        """Delete a checkpoint: first the object that makes it one."""
        objects: Objects = self._objects.below(str(step))
        for name in (_COMPLETE, *objects.names()):
            objects.remove(name)


def _facts(path: Path) -> list[Any]:
    return [path.stat().st_size, file_digest(path)]
