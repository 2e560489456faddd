"""What training shows while it runs: a bar on a terminal, a line now and then elsewhere."""

import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from .metrics_log import NOT_PENALTIES

# Seconds between two lines where there is no terminal: soon at first, so that a mistake shows; later for the record.
_SOON, _LATER = 10, 60


class ProgressDisplay(Protocol):
    """Something that is told of each logged step."""

    def update(self, metrics: Mapping[str, float]) -> None:
        """Show the metrics of one logged step."""
        ...

    def close(self) -> None:
        """Leave the display as it is."""
        ...


def show_progress(total_steps: int, *, start_step: int = 0, silent: bool = False) -> ProgressDisplay:
    """A bar if standard output is a terminal, lines if not (also in notebooks), and nothing if it is to be silent."""
    if silent:
        return _Silence()
    console = Console()
    return _Bar(console, total_steps, start_step) if console.is_terminal else Lines(total_steps)


def describe(metrics: Mapping[str, float]) -> str:
    """The metrics that people watch, in one line: loss, reconstruction, validation, penalties, and the speed."""
    others = "".join(f"{name} {value:9.3g}  " for name, value in metrics.items() if name not in NOT_PENALTIES)
    validation = f"validation {metrics['validation']:7.3f}  " if "validation" in metrics else ""
    return (
        f"loss {metrics['loss']:8.3f}  reconstruction {metrics['reconstruction']:7.3f}  {validation}{others}"
        f"{metrics['steps_per_second']:6.1f} steps/s"
    )


class _Silence:
    def update(self, metrics: Mapping[str, float]) -> None:
        pass

    def close(self) -> None:
        pass


class _Bar:
    def __init__(self, console: Console, total: int, start: int):
        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[metrics]}"), TimeRemainingColumn())
        self._progress = Progress(*columns, console=console)
        self._task = self._progress.add_task("training", total=total, completed=start, metrics="compiling")
        self._progress.start()

    def update(self, metrics: Mapping[str, float]) -> None:
        self._progress.update(self._task, completed=metrics["step"], metrics=describe(metrics))

    def close(self) -> None:
        self._progress.stop()


class Lines:
    """A line for the first logged step, the last one, and others as time goes by, with an estimate of what remains."""

    def __init__(self, total: int, clock: Callable[[], float] = time.monotonic):
        self._total, self._clock = total, clock
        self._began, self._shown = clock(), -float("inf")
        self._first: tuple[float, float] | None = None  # time and step of the first one, which has waited for compiling

    def update(self, metrics: Mapping[str, float]) -> None:
        """Print a line if one is due."""
        now, step = self._clock(), metrics["step"]
        self._first = self._first or (now, step)
        pause = _SOON if now - self._began < _LATER else _LATER
        if now - self._shown < pause and step != self._total:
            return
        self._shown = now
        print(f"step {int(step):6d}/{self._total}  {describe(metrics)}{self._remaining(now, step)}", flush=True)

    def close(self) -> None:
        """Nothing is left open."""

    def _remaining(self, now: float, step: float) -> str:
        assert self._first is not None
        began, first = self._first
        if step in (first, self._total):
            return ""
        seconds = (now - began) / (step - first) * (self._total - step)
        return f"  {timedelta(seconds=round(seconds))} left"
