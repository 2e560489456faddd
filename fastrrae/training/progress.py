"""What training shows while it runs: a bar on a terminal, a line now and then elsewhere."""

from collections.abc import Mapping
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_LINES = 10  # that a run prints where there is no terminal


class ProgressDisplay(Protocol):
    """Something that is told of each logged step."""

    def update(self, metrics: Mapping[str, float]) -> None:
        """Show the metrics of one logged step."""
        ...

    def close(self) -> None:
        """Leave the display as it is."""
        ...


def show_progress(total_steps: int, *, start_step: int = 0, silent: bool = False) -> ProgressDisplay:
    """A bar if standard output is a terminal, lines if not, and nothing if it is to be silent."""
    if silent:
        return _Silence()
    console = Console()
    return _Bar(console, total_steps, start_step) if console.is_terminal else _Lines(total_steps)


def describe(metrics: Mapping[str, float]) -> str:
    """The metrics that people watch, in one line: loss, reconstruction, penalties, and the speed."""
    hidden = ("step", "loss", "reconstruction", "gradient_norm", "steps_per_second")
    others = "".join(f"{name} {value:9.3g}  " for name, value in metrics.items() if name not in hidden)
    return (
        f"loss {metrics['loss']:8.3f}  reconstruction {metrics['reconstruction']:7.3f}  {others}"
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


class _Lines:
    def __init__(self, total: int):
        self._total, self._next = total, 0.0

    def update(self, metrics: Mapping[str, float]) -> None:
        if metrics["step"] >= self._next or metrics["step"] == self._total:
            print(f"step {int(metrics['step']):6d}/{self._total}  {describe(metrics)}", flush=True)
            self._next += self._total / _LINES

    def close(self) -> None:
        pass
