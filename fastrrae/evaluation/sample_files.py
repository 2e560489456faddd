"""Decoded samples as a file of values, however many."""

from pathlib import Path

import numpy as np

from ..atomic_files import replacing
from ..run import Run
from .generated_samples import BLOCK


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
