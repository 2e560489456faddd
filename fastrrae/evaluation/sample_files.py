"""New samples as a file of values, however many."""

from pathlib import Path

import numpy as np

from ..atomic_files import replacing
from ..models.priors import Density
from ..run import Run
from .generated_samples import BLOCK


def save_samples(run: Run, path: Path, count: int, *, seed: int, density: Density) -> None:
    """Write `count` new samples as a .npy file (count, *sample_shape), float32, in the units of the data.

    They are those of `run.sample`, decoded in blocks: only their coefficients (count, rank) are in memory at once.
    """
    coefficients = density.sample(count, seed)
    header = {"descr": "<f4", "fortran_order": False, "shape": (count, *run.sample_shape)}
    with replacing(path) as file:
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, count, BLOCK):
            block = run.decode(coefficients[start : start + BLOCK])
            file.write(np.ascontiguousarray(block, "<f4").tobytes())
