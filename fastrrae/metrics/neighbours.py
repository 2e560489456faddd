"""Which training samples are nearest to a generated one: does the model invent, or repeat?"""

from collections.abc import Iterable

import numpy as np


def nearest(queries: np.ndarray, batches: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Index and Euclidean distance, (count,) each, of the sample nearest to each of `queries` (count, *sample_shape).

    `batches` of samples (n, *sample_shape) are read once, in order; indices count over all of them.
    """
    flat = np.asarray(queries, np.float64).reshape(len(queries), -1)
    index = np.full(len(flat), -1)
    best = np.full(len(flat), np.inf)
    first = 0
    for batch in batches:
        samples = np.asarray(batch, np.float64).reshape(len(batch), -1)
        squares = np.sum(samples**2, axis=1) - 2 * flat @ samples.T  # without |query|^2, the same for all
        candidate = squares.argmin(axis=1)
        exact = np.linalg.norm(flat - samples[candidate], axis=1)
        better = exact < best
        index[better], best[better] = first + candidate[better], exact[better]
        first += len(samples)
    return index, best
