"""Coefficients as files: what `encode` writes and `decode` reads."""

import csv
import io
from pathlib import Path

import numpy as np

from ..atomic_files import write_array, write_text
from ..data.array_files import read_samples


def read_coefficients(path: Path, rank: int) -> np.ndarray:
    """Coefficients (count, rank) from a .npy file, or from a .csv table whose header names its columns.

    Raises:
        InputError: the file is missing or damaged, holds values that are not finite numbers, or rows of another rank.
    """
    return np.asarray(read_samples(path, (rank,), name="coefficients"), np.float32)


def save_coefficients(path: Path, coefficients: np.ndarray) -> None:
    """Write coefficients (count, rank) as a .npy file, or as a .csv table with the columns coefficient_0 and so on.

    Nine significant digits give each float32 back as it was.
    """
    if path.suffix == ".npy":
        write_array(path, coefficients)
        return
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow([f"coefficient_{number}" for number in range(coefficients.shape[1])])
    table.writerows([f"{value:.9g}" for value in row] for row in coefficients)
    write_text(path, text.getvalue())
