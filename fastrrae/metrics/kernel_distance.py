"""The kernel distance between two sets of features: the KID, where the features are those of a trained network."""

from typing import NamedTuple

import numpy as np

from ..errors import InputError

ROWS_AT_A_TIME = 1024  # of a kernel matrix


class KernelDistance(NamedTuple):
    """The estimate, and how much it varies between subsets."""

    mean: float
    std: float


def kernel_distance(
    features: np.ndarray, reference: np.ndarray, *, subsets: int = 100, size: int = 1000, seed: int = 0
) -> KernelDistance:
    """The squared maximum mean discrepancy with the kernel `(x . y / d + 1)^3` (Binkowski et al. 2018).

    The unbiased estimate, which may be below zero, is the mean of `k(x_i, x_j) + k(y_i, y_j) - 2 k(x_i, y_j)`, where
    pairs of one feature with itself are left out of the first two terms, not of the third. It is averaged over random
    subsets of `size` of each set (all of the smaller set where it has fewer): unlike the FID, its expectation does not
    depend on the number of samples.
    """
    size = min(size, len(features), len(reference))
    if size < 2:
        raise InputError(f"each set must have at least 2 features; got {len(features)} and {len(reference)}")
    if size == len(features) == len(reference):
        subsets = 1
    rng = np.random.default_rng(seed)
    x, y = np.asarray(features, np.float64), np.asarray(reference, np.float64)
    chosen = [[rng.choice(len(z), size, replace=False) for z in (x, y)] for _ in range(max(1, subsets))]
    of_x, of_y = np.swapaxes(chosen, 0, 1)
    within = (_sums_of_pairs(x, of_x) + _sums_of_pairs(y, of_y)) / (size * (size - 1))
    estimates = within - 2 * _sums(x, y, of_x, of_y) / size**2
    return KernelDistance(float(np.mean(estimates)), float(np.std(estimates)))


def _sums_of_pairs(x: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """For each subset the sum of `k(x_i, x_j)` over pairs of different i and j."""
    with_themselves = _kernel(np.sum(x * x, axis=1), x.shape[1])
    return _sums(x, x, chosen, chosen) - np.sum(with_themselves[chosen], axis=1)


def _sums(x: np.ndarray, y: np.ndarray, of_x: np.ndarray, of_y: np.ndarray) -> np.ndarray:
    """The sums of `k(x_i, y_j)` over i in `of_x` and j in `of_y`, each (subsets, size).

    Where the subsets overlap much, the kernel of all pairs is computed once, and summed by products with the subsets'
    indicators.
    """
    (subsets, size), features = of_x.shape, x.shape[1]
    if len(x) * len(y) * (features + subsets) > subsets * size**2 * features:
        return np.array([_kernel(x[i] @ y[j].T, features).sum() for i, j in zip(of_x, of_y, strict=True)])
    in_x, in_y = _indicators(of_x, len(x)), _indicators(of_y, len(y))
    sums = np.zeros(subsets)
    for first in range(0, len(x), ROWS_AT_A_TIME):
        rows = slice(first, first + ROWS_AT_A_TIME)
        sums += np.sum(in_x[:, rows].T * (_kernel(x[rows] @ y.T, features) @ in_y.T), axis=0)
    return sums


def _indicators(chosen: np.ndarray, count: int) -> np.ndarray:
    """(subsets, count): 1 for what a subset has chosen, and 0."""
    indicators = np.zeros((len(chosen), count))
    np.put_along_axis(indicators, chosen, 1.0, axis=1)
    return indicators


def _kernel(products: np.ndarray, features: int) -> np.ndarray:
    base = products / features + 1
    return base * base * base  # `** 3` is many times slower
