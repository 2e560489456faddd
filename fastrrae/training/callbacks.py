"""What a user can follow a training with: calls at each log line, validation and checkpoint, CSV and TensorBoard."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..models import Autoencoder
from ..run_folder import RunFolder
from .metrics_log import read_metrics


class Callback:
    """Methods that training calls as it goes on; override those that you need.

    Where there are several processes, only those of the main one are called. What a callback raises ends the training;
    the checkpoints written so far are kept. Nothing that a callback does changes the bits of the run.

    Example:
        >>> class Print(Callback):
        ...     def on_validation(self, step, error, model):
        ...         print(f"{step}: {error:.2f} %")
        >>> train(config, dataset, "runs/mine", callbacks=[Print()])
    """

    def on_start(self, folder: RunFolder, step: int) -> None:
        """Training starts after `step` steps: 0, or more in a run that is resumed."""

    def on_log(self, row: Mapping[str, float]) -> None:
        """A line of `metrics.jsonl`: step, loss, reconstruction, penalties, and `validation` where there was one."""

    def on_validation(self, step: int, error: float, model: Autoencoder) -> None:
        """The error (per cent) on the validation split after `step` steps, and a copy of the model at inference."""

    def on_checkpoint(self, step: int) -> None:
        """The checkpoint of `step` is being written."""

    def on_end(self, model: Autoencoder, folder: RunFolder) -> None:
        """The run is finished, and `model` ready for inference."""


class CSVWriter(Callback):
    """Leaves the metrics as a table: a line for each logged step, empty where a column has no value.

    Args:
        path: the file; by default `metrics.csv` in the run folder. Each call of `train` writes it again, with
            the lines of earlier sessions.
    """

    def __init__(self, path: str | Path | None = None):
        self._path = path
        self._file: Any = None

    def on_start(self, folder: RunFolder, step: int) -> None:
        """Open the file, and write the lines up to `step`."""
        path = folder.root / "metrics.csv" if self._path is None else Path(self._path)
        try:
            self._file = path.open("w", buffering=1, newline="", encoding="utf-8")
        except OSError as error:
            raise InputError(f"cannot write {path}: {error.strerror}") from None
        self._columns: list[str] = []
        for row in read_metrics(folder.metrics) if folder.metrics.exists() else []:
            if row["step"] <= step:
                self.on_log(row)

    def on_log(self, row: Mapping[str, float]) -> None:
        """Write a line."""
        if not self._columns:
            self._columns = ["step", *(name for name in row if name not in ("step", "validation")), "validation"]
            csv.writer(self._file).writerow(self._columns)
        csv.writer(self._file).writerow([row.get(name, "") for name in self._columns])

    def on_end(self, model: Autoencoder, folder: RunFolder) -> None:
        """Close the file."""
        self._file.close()


class TensorBoardWriter(Callback):
    """Writes the curves for TensorBoard (`tensorboard --logdir runs`).

    Args:
        folder: where event files go; by default `tensorboard` in the run folder.

    Raises:
        InputError: tensorboardX is not installed (`pip install "fastrrae[tensorboard]"`).
    """

    def __init__(self, folder: str | Path | None = None):
        try:
            import tensorboardX  # noqa: F401
        except ImportError:
            raise InputError(
                'TensorBoard files need tensorboardX: install it with `pip install "fastrrae[tensorboard]"`'
            ) from None
        self._folder = folder
        self._writer: Any = None

    def on_start(self, folder: RunFolder, step: int) -> None:
        """Open an event file; TensorBoard drops what earlier ones hold of later steps."""
        from tensorboardX import SummaryWriter

        path = folder.root / "tensorboard" if self._folder is None else Path(self._folder)
        self._writer = SummaryWriter(str(path), purge_step=step + 1)

    def on_log(self, row: Mapping[str, float]) -> None:
        """Add a point to each curve."""
        for name, value in row.items():
            if name != "step":
                self._writer.add_scalar(name, value, int(row["step"]))

    def on_end(self, model: Autoencoder, folder: RunFolder) -> None:
        """Close the event file."""
        self._writer.close()
