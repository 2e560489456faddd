"""Decoded samples as a file: a picture, values however many, or the text of strings."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..atomic_files import replacing, write_array, write_text
from ..errors import InputError
from ..run import Run
from .generated_samples import BLOCK
from .plots import draw_grid, draw_rows, require_drawable


def save_decoded(run: Run, path: Path, coefficients: np.ndarray) -> None:
    """Write the samples of coefficients (count, rank) as a .npy file (count, *sample_shape), float32.

    They are those of `run.decode`, in the units of the data, decoded in blocks: only their coefficients are in memory
    at once.
    """
    header = {"descr": "<f4", "fortran_order": False, "shape": (len(coefficients), *run.sample_shape)}
    with replacing(path) as file:
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, len(coefficients), BLOCK):
            block = run.decode(coefficients[start : start + BLOCK])
            file.write(np.ascontiguousarray(block, "<f4").tobytes())


def require_samples_fit(run: Run, path: Path, rows: int, columns: int = 1) -> None:
    """Raise unless `count` samples of a run can be written to a file of this kind.

    Raises:
        InputError: a text file and no strings, a picture of strings, or a picture of too many samples.
    """
    if path.suffix == ".txt" and run.codec is None:
        raise InputError("`out` must end in .png or .npy: the samples of this run are no strings; got .txt")
    if path.suffix == ".png" and run.codec is not None:
        raise InputError("`out` must end in .txt or .npy: the samples of this run are strings; got .png")
    if path.suffix == ".png":
        require_drawable(rows, columns, run.sample_shape)


def save_samples(run: Run, path: Path, coefficients: np.ndarray) -> None:
    """Write the samples of coefficients (count, rank): .npy, .png, or .txt with one string per line."""
    if path.suffix == ".npy":
        save_decoded(run, path, coefficients)
    elif path.suffix == ".txt":
        write_text(path, "".join(f"{string}\n" for string in run.strings(run.decode(coefficients))))
    else:
        draw_grid(run.decode(coefficients), path)


def save_sample_rows(run: Run, path: Path, rows: Mapping[str, np.ndarray]) -> None:
    """Write named rows of samples: .npy, .png, or .txt with one row per line: its name and strings, with tabs."""
    if path.suffix == ".npy":
        write_array(path, np.stack(list(rows.values())))
    elif path.suffix == ".txt":
        lines = ("\t".join([name, *run.strings(samples)]) for name, samples in rows.items())
        write_text(path, "".join(f"{line}\n" for line in lines))
    else:
        draw_rows(rows, path)
