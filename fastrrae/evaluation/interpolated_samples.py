"""Decoded paths between pairs of samples, by the names of their ends."""

from collections.abc import Sequence

import numpy as np

from ..data import Samples
from ..errors import InputError
from ..interpolation import PathKind, interpolate
from ..run import Run


def interpolate_pairs(
    run: Run,
    pairs: Sequence[tuple[int, int]],
    steps: int,
    method: PathKind = "linear",
    samples: Samples | None = None,
) -> dict[str, np.ndarray]:
    """For each pair of indices of test samples the path between the two, (steps, *sample_shape), ends included.

    Args:
        run: a finished run.
        pairs: indices from 0, of `samples`.
        steps: points on each path.
        method: linear or spherical, as in `fastrrae.interpolation.points_between`.
        samples: the test set; by default the samples of it that the run keeps.

    Raises:
        InputError: an index is not that of a sample, or there are fewer than two steps.
    """
    known = run.examples if samples is None else samples
    if steps < 2:
        raise InputError(f"`steps` must be at least 2, both ends included; got {steps}")
    for index in (index for pair in pairs for index in pair):
        if not 0 <= index < len(known):
            raise InputError(f"`pairs` must be indices of test samples, from 0 to {len(known) - 1}; got {index}")
    ends = run.coefficients(np.asarray(known[np.array(pairs).reshape(-1)])).reshape(len(pairs), 2, run.rank)
    paths = interpolate(ends[:, 0], ends[:, 1], steps, method)
    return {f"{i} to {j}": run.decode(path) for (i, j), path in zip(pairs, paths, strict=True)}
