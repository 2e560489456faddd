"""SIGTERM, which schedulers send before they take a machine away, as a question between two steps."""

import signal
import threading
from types import FrameType

import jax
from jax.experimental import multihost_utils

from ..errors import InputError


class Preempted(InputError):
    """SIGTERM stopped the run, after a checkpoint was saved."""


class PreemptionNotice:
    """A context manager: within it, SIGTERM does not end the process but makes `arrived` true.

    Several processes agree on the step, through JAX's own preemption service, which takes SIGTERM there.
    """

    def __init__(self) -> None:
        self._arrived = False
        self._previous: object = None
        self._listens = jax.process_count() == 1 and threading.current_thread() is threading.main_thread()

    def __enter__(self) -> "PreemptionNotice":
        if self._listens:
            self._previous = signal.signal(signal.SIGTERM, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        if self._listens:
            signal.signal(signal.SIGTERM, self._previous)  # pyright: ignore[reportArgumentType]

    def _note(self, signal_number: int, frame: FrameType | None) -> None:
        del signal_number, frame
        self._arrived = True

    def arrived(self, step: int) -> bool:
        """Whether to stop after `step`; to be asked after every step, by every process."""
        if jax.process_count() > 1:
            return multihost_utils.reached_preemption_sync_point(step)
        return self._arrived
