"""Where the time of a run goes: to its steps, or to what keeps them from being taken."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

KINDS = ("first_step", "input", "checkpoints", "restarts")


@dataclass
class Goodput:
    """Seconds lost so far, of all sessions of a run; kept in its checkpoints.

    Attributes:
        lost: first_step: tracing, compiling and the first batch of each session. input: waiting for batches.
            checkpoints: waiting for checkpoints to be written or sent, as far as training waits for it. restarts: from
            a checkpoint that a session went on from, to the moment when it was restored: the steps after it, which are
            taken again, the time until the machine was back, and reading the checkpoint.
    """

    lost: dict[str, float] = field(default_factory=lambda: dict.fromkeys(KINDS, 0.0))

    @classmethod
    def of_checkpoint(cls, progress: Mapping[str, Any]) -> "Goodput":
        """What the `progress` of a checkpoint says, and the time since then; earlier versions said nothing."""
        found = cls()
        found.lost |= progress.get("lost", {})
        if "saved_at" in progress:
            found.lost["restarts"] += max(0.0, time.time() - progress["saved_at"])
        return found

    def as_progress(self) -> dict[str, Any]:
        """What a checkpoint is to say."""
        return {"lost": dict(self.lost), "saved_at": time.time()}

    @contextmanager
    def losing(self, kind: str) -> Iterator[None]:
        """Count the time of the block as lost."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.lost[kind] += time.perf_counter() - began

    def summary(self, seconds: float) -> dict[str, Any]:
        """For `summary.json`: seconds by kind, and the share of the time that went to steps.

        Args:
            seconds: the time of all sessions, without the time between them.
        """
        whole = seconds + self.lost["restarts"]
        lost = sum(self.lost.values())
        return {
            "share": round(max(0.0, 1 - lost / whole), 4) if whole > 0 else None,
            "lost_seconds": {kind: round(value, 3) for kind, value in self.lost.items()},
        }
