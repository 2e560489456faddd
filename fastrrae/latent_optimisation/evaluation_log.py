"""What was evaluated, one JSON object per line, so that a search that was interrupted continues where it was."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from ..atomic_files import finite, replacing
from ..errors import InputError

Search = Literal["start", "expected improvement", "random"]


class Evaluated(NamedTuple):
    """One object and its score."""

    search: Search  # by which it was found
    round: int  # 0 of the start
    coefficients: np.ndarray  # (rank,)
    text: str | None  # of strings
    score: float  # NaN where it has none


class EvaluationLog:
    """The lines of a log; new ones are written at once.

    Args:
        path: the file. A last line that was cut short, as when the machine stopped, is left out.
    """

    def __init__(self, path: Path):
        self._path = path
        self.rows: list[Evaluated] = []
        if path.exists():
            lines = path.read_bytes().splitlines(keepends=True)
            whole = [line for line in lines if line.endswith(b"\n")]
            self.rows = [self._read(number, line) for number, line in enumerate(whole, start=1)]
            if len(whole) < len(lines):
                with replacing(path) as file:
                    file.write(b"".join(whole))

    def add(self, row: Evaluated) -> None:
        """Write one line."""
        values = {**row._asdict(), "coefficients": row.coefficients.tolist()}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(finite(values)) + "\n")
        self.rows.append(row)

    def of(self, *searches: Search) -> list[Evaluated]:
        """The rows of some of the searches, in order."""
        return [row for row in self.rows if row.search in searches]

    def _read(self, number: int, line: bytes) -> Evaluated:
        try:
            values: Mapping[str, Any] = json.loads(line)
            score = math.nan if values["score"] is None else float(values["score"])
            coefficients = np.array(values["coefficients"], np.float32)
            return Evaluated(values["search"], int(values["round"]), coefficients, values["text"], score)
        except (ValueError, KeyError, TypeError) as error:
            message = f"line {number} of {self._path} is damaged ({error}): start again with `overwrite`"
            raise InputError(message) from None
