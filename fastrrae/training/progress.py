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
    """Something that shows how far a training is."""

    def update(self, step: int, text: str = "") -> None:
        """Show that `step` steps are done, and a text, for example the metrics of that step."""
        ...

    def note(self, text: str) -> None:
        """Show a line that is no step, unless it is empty."""
        ...

    def close(self) -> None:
        """Leave the display as it is."""
        ...


def show_progress(total_steps: int, *, start_step: int = 0, silent: bool = False) -> ProgressDisplay:
    """A bar if standard output is a terminal, lines if not (also in notebooks), and nothing if it is to be silent."""
    if silent:
        return _Silence()
    console = Console()
    # A notebook's console calls itself a terminal, but shows a bar only where further packages are installed.
    on_terminal = console.is_terminal and not console.is_jupyter
    return _Bar(console, total_steps, start_step) if on_terminal else Lines(total_steps)


def describe(metrics: Mapping[str, float]) -> str:
    """The metrics that people watch, in one line: loss, reconstruction, validation, penalties, and the speed."""
    others = "".join(f"{name} {value:9.3g}  " for name, value in metrics.items() if name not in NOT_PENALTIES)
    validation = f"validation {metrics['validation']:7.3f}  " if "validation" in metrics else ""
    return (
        f"loss {metrics['loss']:8.3f}  reconstruction {metrics['reconstruction']:7.3f}  {validation}{others}"
        f"{metrics['steps_per_second']:6.1f} steps/s"
    )


class _Silence:
    def update(self, step: int, text: str = "") -> None:
        pass

    def note(self, text: str) -> None:
        pass

    def close(self) -> None:
        pass


class _Bar:
    def __init__(self, console: Console, total: int, start: int):
        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[text]}"), TimeRemainingColumn())
        self._progress = Progress(*columns, console=console)
        self._task = self._progress.add_task("training", total=total, completed=start, text="compiling")
        self._progress.start()

    def update(self, step: int, text: str = "") -> None:
        self._progress.update(self._task, completed=step, text=text)

    def note(self, text: str) -> None:
        if text:
            self._progress.console.print(text)

    def close(self) -> None:
        self._progress.stop()


class Lines:
    """A line for the first logged step, the last one, and others as time goes by, with an estimate of what remains."""

    def __init__(self, total: int, clock: Callable[[], float] = time.monotonic):
        self._total, self._clock = total, clock
        self._began, self._shown = clock(), -float("inf")
        self._first: tuple[float, int] | None = None  # time and step of the first one, which has waited for compiling

    def update(self, step: int, text: str = "") -> None:
        """Print a line if one is due."""
        now = self._clock()
        self._first = self._first or (now, step)
        pause = _SOON if now - self._began < _LATER else _LATER
        if now - self._shown < pause and step != self._total:
            return
        self._shown = now
        parts = [f"step {step:6d}/{self._total}", text, self._remaining(now, step)]
        print("  ".join(filter(None, parts)), flush=True)

    def note(self, text: str) -> None:
        """Print a line that is no step."""
        if text:
            print(text, flush=True)

    def close(self) -> None:
        """Nothing is left open."""

    def _remaining(self, now: float, step: int) -> str:
        assert self._first is not None
        began, first = self._first
        if step in (first, self._total):
            return ""
        seconds = (now - began) / (step - first) * (self._total - step)
        return f"{timedelta(seconds=round(seconds))} left"
