"""Several processes of one run: how they find each other, what only one of them does, and sums over all of them."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import jax
import numpy as np
from jax.experimental import multihost_utils

from .data import Share
from .errors import InputError, StartAgain, first_line

HEARTBEAT_SECONDS = 30  # after which a process that is silent counts as lost


@dataclass(frozen=True)
class ProcessOptions:
    """How this process finds the others of its run; alone by default."""

    coordinator: str | None = None
    """Address HOST:PORT of process 0, the same for all; or JAX_COORDINATOR_ADDRESS."""
    processes: int | None = None
    """How many there are; or JAX_NUM_PROCESSES."""
    process_id: int | None = None
    """Which one this is, from 0; or JAX_PROCESS_ID."""
    distributed: bool = False
    """Let JAX find the others, as it can on TPU pods and under Slurm and Open MPI."""


def connect(options: ProcessOptions) -> None:
    """Join the other processes, if the options or the environment say that there are any. Before any computation."""
    coordinator = options.coordinator or os.environ.get("JAX_COORDINATOR_ADDRESS")
    count = _number(options.processes, "`processes`", "JAX_NUM_PROCESSES")
    index = _number(options.process_id, "`process_id`", "JAX_PROCESS_ID")
    if options.distributed and coordinator is None:
        jax.distributed.initialize(heartbeat_timeout_seconds=HEARTBEAT_SECONDS)
        return
    given = {"`coordinator`": coordinator, "`processes`": count, "`process_id`": index}
    if all(value is None for value in given.values()):
        return
    missing = [name for name, value in given.items() if value is None]
    if missing or coordinator is None or count is None or index is None:
        raise InputError(f"`coordinator`, `processes` and `process_id` belong together; {', '.join(missing)} missing")
    if not 0 <= index < count:
        raise InputError(f"`process_id` must be from 0 to `processes` - 1 = {count - 1}; got {index}")
    try:
        jax.distributed.initialize(coordinator, count, index, heartbeat_timeout_seconds=HEARTBEAT_SECONDS)
    except (RuntimeError, ValueError) as error:
        raise InputError(f"process {index} of {count} cannot join the others at {coordinator}: {error}") from None


def _number(option: int | None, name: str, variable: str) -> int | None:
    if option is not None or variable not in os.environ:
        return option
    try:
        return int(os.environ[variable])
    except ValueError:
        raise InputError(f"{variable} (or {name}) must be a number; got {os.environ[variable]!r}") from None


class ProcessLost(StartAgain):
    """Another process of this run has stopped."""


@contextmanager
def notice_lost_processes() -> Iterator[None]:
    """Turn the failure of an exchange between processes into ProcessLost."""
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        if jax.process_count() == 1 or "RESOURCE_EXHAUSTED" in str(error):
            raise
        raise ProcessLost(
            f"another process of this run has stopped, so process {jax.process_index()} does too "
            f"({first_line(error)}). Start all of them again with `resume`"
        ) from None


def is_main() -> bool:
    """Whether this process writes what a run leaves: metrics, pictures, progress."""
    return jax.process_index() == 0


def own_share() -> Share:
    """The part of anything divided among the processes that is this one's."""
    return Share(jax.process_index(), jax.process_count())


def wait_for_all(what: str) -> None:
    """Return once every process has come here."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(what)


def on_main(action: Callable[[], object]) -> None:
    """Let the main process do something; where it fails with an InputError, every process raises that."""
    message = ""
    if is_main():
        try:
            action()
        except InputError as error:
            message = str(error) or type(error).__name__
    message = gather_rows(np.frombuffer(message.encode(), np.uint8)).tobytes().decode()
    if message:
        raise InputError(message)


def sum_over_processes(values: np.ndarray) -> np.ndarray:
    """The sum of the processes' float64 arrays, in the order of the processes, on each of them."""
    return values if jax.process_count() == 1 else gather_rows(values[None]).sum(axis=0)


def gather_rows(rows: np.ndarray) -> np.ndarray:
    """The processes' arrays (count, ...) one after the other, on each of them; counts may differ."""
    if jax.process_count() == 1:
        return rows
    counts = np.asarray(multihost_utils.process_allgather(np.array([len(rows)])))[:, 0]
    if not counts.any():
        return rows
    # As bytes: JAX would round float64 to float32 on the way.
    padded = np.zeros((counts.max(), *rows.shape[1:]), rows.dtype)
    padded[: len(rows)] = rows
    gathered = np.asarray(multihost_utils.process_allgather(padded.reshape(-1).view(np.uint8)))
    wide = np.ascontiguousarray(gathered).view(rows.dtype).reshape(len(counts), *padded.shape)
    return np.concatenate([part[:count] for part, count in zip(wide, counts, strict=True)])
