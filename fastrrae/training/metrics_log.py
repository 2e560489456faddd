"""`metrics.jsonl`: one JSON object for each logged step."""

import json
from pathlib import Path
from typing import Any

from ..atomic_files import finite

_FIRST, _LAST = ("step", "loss", "reconstruction"), ("gradient_norm", "steps_per_second")  # others between them
_SPEED = ("samples_per_second_per_device", "flops_utilisation", "input_share")
NOT_FINAL = frozenset({"step", *_LAST, *_SPEED})  # nor in the summary
NOT_PENALTIES = frozenset({*_FIRST, "validation", *_LAST, *_SPEED})


class MetricsLog:
    """Appends to a metrics file; opened at a step, it first drops the lines of later ones (a resumed run's).

    With no path it writes nothing, as in all processes but one.
    """

    def __init__(self, path: Path | None, *, after_step: int = 0):
        self._file = None
        if path is None:
            return
        kept = [row for row in read_metrics(path) if row["step"] <= after_step] if path.exists() else []
        self._file = path.open("w", buffering=1, encoding="utf-8")
        for row in kept:
            self.write(row)

    def write(self, row: dict[str, Any]) -> None:
        """Append one line."""
        if self._file is not None:
            others = sorted(row.keys() - {*_FIRST, *_LAST, *_SPEED})
            ordered = {name: row[name] for name in (*_FIRST, *others, *_LAST, *_SPEED) if name in row}
            self._file.write(json.dumps(finite(ordered), allow_nan=False) + "\n")

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """All complete lines of a metrics file; a last line that a killed run left cut short is skipped."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return rows
