"""Which training samples are nearest to a generated one: does the model invent, or repeat?"""

from collections.abc import Iterable

import numpy as np


def nearest(queries: np.ndarray, batches: Iterable[np.ndarray], count: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Index and Euclidean distance of the samples nearest to each of `queries` (number, *sample_shape), nearest first.

    `batches` of samples (n, *sample_shape) are read once, in order; indices count over all of them. Both results have
    the shape (number, count), or fewer columns where there are fewer samples.
    """
    flat = np.asarray(queries, np.float64).reshape(len(queries), -1)
    index = np.empty((len(flat), 0), int)
    best = np.empty((len(flat), 0))
    first = 0
    for batch in batches:
        samples = np.asarray(batch, np.float64).reshape(len(batch), -1)
        squares = np.sum(samples**2, axis=1) - 2 * flat @ samples.T  # without |query|^2, the same for all
        near = np.argsort(squares, axis=1, kind="stable")[:, :count]
        exact = np.linalg.norm(flat[:, None] - samples[near], axis=-1)
        index, best = np.hstack([index, first + near]), np.hstack([best, exact])
        order = np.argsort(best, axis=1, kind="stable")[:, :count]
        index, best = np.take_along_axis(index, order, 1), np.take_along_axis(best, order, 1)
        first += len(samples)
    return index, best
