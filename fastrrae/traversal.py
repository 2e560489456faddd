"""Walks along one coefficient, the others kept: what the coefficient stands for."""

import numpy as np

from .errors import InputError

QUANTILES = (0.025, 0.975)  # of the training coefficients, between which a coefficient is varied


def coefficient_ranges(coefficients: np.ndarray) -> np.ndarray:
    """The 2.5 % and 97.5 % quantiles of each coefficient over the training set: (count, rank) -> (rank, 2), float32.

    Nineteen of twenty training samples lie between the two, so that a walk meets nothing that the decoder has hardly
    seen.
    """
    return np.quantile(np.asarray(coefficients, np.float64), QUANTILES, axis=0).T.astype(np.float32)


def points_along(start: np.ndarray, coefficient: int, ranges: np.ndarray, steps: int) -> np.ndarray:
    """`start` (rank,) with one coefficient at `steps` evenly spaced values over its range: (steps, rank).

    `ranges` are the least and greatest values of all coefficients, (rank, 2).

    Raises:
        InputError: there is no such coefficient, or fewer than two steps.

    Example:
        >>> points_along(np.zeros(3), 1, np.array([[0, 0], [-2, 2], [0, 0]]), 3)
        array([[ 0., -2.,  0.],
               [ 0.,  0.,  0.],
               [ 0.,  2.,  0.]], dtype=float32)
    """
    rank = len(start)
    if not 0 <= coefficient < rank:
        raise InputError(f"`coefficient` must be from 0 to {rank - 1}, for a rank of {rank}; got {coefficient}")
    if steps < 2:
        raise InputError(f"`steps` must be at least 2, both ends included; got {steps}")
    points = np.repeat(np.asarray(start, np.float32)[None], steps, axis=0)
    points[:, coefficient] = np.linspace(ranges[coefficient, 0], ranges[coefficient, 1], steps)
    return points
