"""Checkpoints of a run, written by orbax in the background; each appears under its name only when it is complete.

A checkpoint is a flat dictionary of arrays, each written by the devices that hold it and read back in any other layout,
and a description: names, shapes, types, a fingerprint of every array's bits, and the position of the run.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import SingleDeviceSharding

from ..errors import InputError, first_line
from ..processes import ProcessLost, is_main, wait_for_all
from .fingerprint import fingerprints
from .state_arrays import require_same_shapes

FORMAT = 3
# What parts of the state were called in the format before, whose checkpoints are still read.
_EARLIER_FORMAT = 2
_EARLIER_NAMES = {
    "doublings": "upsampling",
    "trim": "output",
    "last": "output",
    "chart": "affine_map",
    "inverse": "inverse_map",
    "pull": "prior_weight",
}
BEST_BY = "reconstruction"


class Checkpoint(NamedTuple):
    """What one checkpoint holds."""

    step: int
    arrays: dict[str, Any]  # jax.Array by path, see `state_arrays`
    progress: dict[str, Any]  # JSON: position of the input pipeline, time taken


class CheckpointStore:
    """The `checkpoints/` folder of a run; a context manager, which waits for writes on leaving.

    Args:
        folder: where they are.
        keep_last: how many of the newest stay.
        keep_best: how many others stay, by the least `reconstruction`.
        report: called with a message if a checkpoint is skipped because it is damaged.
        alone: opened by this process only, to read; where there are several, all others would be waited for.
    """

    def __init__(
        self,
        folder: Path,
        *,
        keep_last: int = 2,
        keep_best: int = 0,
        report: Callable[[str], None] = print,
        alone: bool = False,
    ):
        import orbax.checkpoint as ocp  # half a second, which `import fastrrae` need not take
        from orbax.checkpoint.checkpoint_managers import AnyPreservationPolicy, BestN, LatestN

        self._args = ocp.args
        policies: list[Any] = [LatestN(keep_last)]
        if keep_best:
            policies.append(BestN(get_metric_fn=lambda metrics: metrics[BEST_BY], reverse=True, n=keep_best))
        here = jax.process_index()
        processes = (
            ocp.options.MultiprocessingOptions(here, {here}, f"alone{here}")
            if alone and jax.process_count() > 1
            else ocp.options.MultiprocessingOptions()
        )
        options = ocp.CheckpointManagerOptions(
            preservation_policy=AnyPreservationPolicy(policies),
            enable_async_checkpointing=not alone,
            create=not alone,
            cleanup_tmp_directories=not alone,  # of a process that was killed while it wrote
            multiprocessing_options=processes,
        )
        self._report = report
        self._folder = folder
        self._manager = ocp.CheckpointManager(folder.resolve(), options=options)

    def __enter__(self) -> "CheckpointStore":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is ProcessLost:
            return  # closing would wait for it
        try:
            self.wait()
        finally:
            self._manager.close()

    def wait(self) -> None:
        """Return once everything saved so far is complete on disk."""
        with self._writing():
            self._manager.wait_until_finished()

    def save(self, checkpoint: Checkpoint, metrics: Mapping[str, float] | None = None) -> None:
        """Start writing. Where a checkpoint before this one could not be written, that is raised here."""
        prints = fingerprints(checkpoint.arrays)
        arrays = {
            name: {"shape": list(array.shape), "dtype": str(array.dtype), "fingerprint": prints[name]}
            for name, array in checkpoint.arrays.items()
        }
        description = {"format": FORMAT, "progress": checkpoint.progress, "arrays": arrays}
        parts = self._args.Composite(
            arrays=self._args.StandardSave(checkpoint.arrays), description=self._args.JsonSave(description)
        )
        with self._writing():
            self._manager.save(checkpoint.step, args=parts, metrics=metrics and dict(metrics), force=True)

    @property
    def latest_step(self) -> int | None:
        """Step of the newest complete checkpoint."""
        return self._manager.latest_step()

    def require_step(self, step: int) -> int:
        """`step`, if there is a checkpoint of it."""
        steps = sorted(self._manager.all_steps())
        if step not in steps:
            raise InputError(f"{self._folder} has no checkpoint of step {step}; there are {', '.join(map(str, steps))}")
        return step

    def restore_newest(self, expected: Mapping[str, jax.ShapeDtypeStruct] | None = None) -> Checkpoint:
        """Read the newest checkpoint that is whole; those that are damaged are reported and skipped.

        Args:
            expected: names, shapes and shardings of the arrays, to lay them out so; by default they go to one device.

        Raises:
            InputError: there is none, or it is of another model or version; the message names the first differences.
        """
        for step in sorted(self._manager.all_steps(), reverse=True):
            try:
                return self.restore(step, expected)
            except InputError:
                raise
            except Exception as error:  # orbax and tensorstore have no common error for files that are damaged
                if is_main():
                    self._report(f"{self._place_of(step)} is damaged and skipped: {first_line(error)}")
        raise InputError(f"{self._folder} holds no checkpoint that is whole: train the run first, or again")

    def restore(self, step: int, expected: Mapping[str, jax.ShapeDtypeStruct] | None = None) -> Checkpoint:
        """Read the checkpoint of one step; any exception but InputError says that it is damaged."""
        description = self._describe(step)
        now = _current_name if description["format"] == _EARLIER_FORMAT else lambda name: name
        if expected is not None and any(name.startswith("search/") for name in description["arrays"]):
            raise InputError(
                f"{self._place_of(step)} holds a search for a rank of version 0.1, which this version cannot continue: "
                f"finish the run with the version that wrote it (`summary.json`, `versions`), or train again"
            )
        if expected is not None:
            self._require_fit(step, expected, {now(name): entry for name, entry in description["arrays"].items()})
        local = SingleDeviceSharding(jax.local_devices()[0])
        layout = {
            name: jax.ShapeDtypeStruct(
                tuple(entry["shape"]),
                np.dtype(entry["dtype"]),
                sharding=local if expected is None else expected[now(name)].sharding,
            )
            for name, entry in description["arrays"].items()
        }
        arrays = self._read(step, layout)
        stored = {name: entry["fingerprint"] for name, entry in description["arrays"].items()}
        wrong = [name for name, value in fingerprints(arrays).items() if value != stored[name]]
        if wrong:
            raise ValueError(f"{wrong[0]} is not what was written")
        return Checkpoint(step, {now(name): array for name, array in arrays.items()}, description["progress"])

    def _require_fit(self, step: int, expected: Mapping[str, jax.ShapeDtypeStruct], saved: Mapping[str, Any]) -> None:
        """Raise unless names and shapes of the saved arrays are the expected ones."""
        shapes = {name: np.broadcast_to(0, entry["shape"]) for name, entry in saved.items()}
        try:
            require_same_shapes({name: tuple(leaf.shape) for name, leaf in expected.items()}, shapes)
        except ValueError as error:
            raise InputError(f"{self._place_of(step)} is of another model or optimiser: {error}") from None

    def _read(self, step: int, layout: Mapping[str, jax.ShapeDtypeStruct]) -> dict[str, Any]:
        """The arrays in the types that they were written in, whatever JAX's setting of 64-bit types is now."""
        wide = {name for name, leaf in layout.items() if leaf.dtype.itemsize == 8}
        with jax.enable_x64(bool(wide) or jax.config.jax_enable_x64):  # pyright: ignore[reportAttributeAccessIssue]
            parts = self._args.Composite(arrays=self._args.StandardRestore(dict(layout)))
            return dict(self._manager.restore(step, args=parts)["arrays"])

    def _place_of(self, step: int) -> str:
        return f"the checkpoint of step {step} in {self._folder}"

    def _describe(self, step: int) -> dict[str, Any]:
        """The description in a checkpoint of this format; the first version had none."""
        folder = self._folder / str(step)
        if not (folder / "description").exists() and (folder / "progress").exists():
            description: dict[str, Any] = {"format": 1}
        else:
            parts = self._args.Composite(description=self._args.JsonRestore())
            description = self._manager.restore(step, args=parts)["description"]
        if description["format"] not in (_EARLIER_FORMAT, FORMAT):
            raise InputError(
                f"{self._place_of(step)} has the format {description['format']}; this version of fastrrae reads "
                f"{_EARLIER_FORMAT} and {FORMAT}: use the version that wrote it (`summary.json`, `versions`), or train "
                f"again"
            )
        return description

    def set_aside(self, newer_than: int) -> None:
        """Move checkpoints newer than a step, which were found damaged, out of the way of those to come."""
        for step in [step for step in self._manager.all_steps() if step > newer_than]:
            if is_main():
                damaged = _free_name(self._folder.parent / f"damaged-checkpoint-{step}")
                (self._folder / str(step)).replace(damaged)
                self._report(f"the damaged checkpoint of step {step} is now {damaged}")
        wait_for_all("damaged checkpoints set aside")
        self._manager.reload()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """What goes wrong in writing, as a message; the checkpoints that were complete are not touched by it."""
        try:
            yield
        except (OSError, ValueError, RuntimeError) as error:
            if isinstance(error, InputError) or (
                jax.process_count() > 1 and isinstance(error, jax.errors.JaxRuntimeError)
            ):
                raise
            kept = self._manager.latest_step()
            raise InputError(
                f"a checkpoint cannot be written to {self._folder} ({first_line(error)}): is the disk full? "
                + (f"The checkpoint of step {kept} is whole; free space and `resume`" if kept else "None is there yet")
            ) from None


def _current_name(name: str) -> str:
    """The name in this version of an array of a checkpoint of the earlier format."""
    return "/".join(_EARLIER_NAMES.get(part, part) for part in name.split("/"))


def _free_name(path: Path) -> Path:
    """`path`, or the first of `path-2`, `path-3`, ... that does not exist."""
    candidates = (path if number == 1 else path.with_name(f"{path.name}-{number}") for number in itertools.count(1))
    return next(candidate for candidate in candidates if not candidate.exists())
