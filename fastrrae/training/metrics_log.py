"""`metrics.jsonl`: one JSON object for each logged step."""

import json
from pathlib import Path
from typing import Any

from ..atomic_files import finite, write_text

_FIRST, _LAST = ("step", "loss", "reconstruction"), ("gradient_norm", "steps_per_second")  # others between them
_SPEED = ("samples_per_second_per_device", "flops_utilisation", "input_share")
NOT_FINAL = frozenset({"step", *_LAST, *_SPEED})  # nor in the summary
NOT_PENALTIES = frozenset({*_FIRST, "validation", *_LAST, *_SPEED})


PART_BYTES = 2**18  # of a log in parts: about a thousand lines
_PARTS = "metrics-*.jsonl"  # next to `metrics.jsonl`, which is the first part


class MetricsLog:
    """Appends to a metrics file; opened at a step, it first drops the lines of later ones (a resumed run's).

    A log in parts goes on in another file where one is full, so that what a bucket gets again is never long: objects
    cannot be appended to. `join` makes one file of them when the run is finished.

    With no path it writes nothing, as in all processes but one.
    """

    def __init__(self, path: Path | None, *, after_step: int = 0, in_parts: bool = False):
        self._file, self._path, self._in_parts = None, path, in_parts
        if path is None:
            return
        last = _drop_later(path, after_step)
        self._number = 0 if last == path else int(last.stem.rpartition("-")[2])
        self._file = last.open("a", buffering=1, encoding="utf-8")
        self._bytes = last.stat().st_size

    def write(self, row: dict[str, Any]) -> None:
        """Append one line."""
        if self._file is None:
            return
        others = sorted(row.keys() - {*_FIRST, *_LAST, *_SPEED})
        line = _line({name: row[name] for name in (*_FIRST, *others, *_LAST, *_SPEED) if name in row})
        if self._in_parts and self._bytes and self._bytes + len(line) > PART_BYTES:
            self._start_part()
        self._file.write(line)
        self._bytes += len(line)

    def _start_part(self) -> None:
        assert self._path is not None
        self.close()
        self._number, self._bytes = self._number + 1, 0
        path = self._path.with_name(_PARTS.replace("*", f"{self._number:05d}"))
        self._file = path.open("w", buffering=1, encoding="utf-8")

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


def join(path: Path) -> None:
    """Make one file of a log in parts."""
    first, *others = parts_of(path)
    if others:
        write_text(first, "".join(map(_line, read_metrics(path))))
        for part in others:
            part.unlink()


def parts_of(path: Path) -> list[Path]:
    """The files of a log, in order."""
    return [path, *sorted(path.parent.glob(_PARTS))]


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """All complete lines of a metrics file and its other parts.

    A last line that a killed run left cut short is skipped, and so are lines that are there twice, as after a kill
    while parts were joined.
    """
    rows: list[dict[str, Any]] = []
    for part in parts_of(path):
        last = rows[-1]["step"] if rows else -1
        rows += [row for row in _read(part) if row["step"] > last]
    return rows


def _read(part: Path) -> list[dict[str, Any]]:
    rows = []
    for line in part.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return rows


def _line(row: dict[str, Any]) -> str:
    return json.dumps(finite(row), allow_nan=False) + "\n"


def _drop_later(path: Path, after_step: int) -> Path:
    """Leave only complete lines, of steps up to one; returns the part in which the last of them is."""
    if not path.exists():
        path.touch()
    steps = [row["step"] for part in parts_of(path) for row in _read(part)]
    if len(set(steps)) < len(steps):  # killed while parts were joined
        join(path)
    for part in reversed(parts_of(path)):
        kept = [row for row in _read(part) if row["step"] <= after_step]
        if kept or part == path:
            write_text(part, "".join(map(_line, kept)))
            return part
        part.unlink()
    return path
