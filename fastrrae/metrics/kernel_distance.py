"""The kernel distance between two sets of features: the KID, where the features are those of a trained network."""

from typing import NamedTuple

import numpy as np

from ..errors import InputError


class KernelDistance(NamedTuple):
    """The estimate, and how much it varies between subsets."""

    mean: float
    std: float


def kernel_distance(
    features: np.ndarray, reference: np.ndarray, *, subsets: int = 100, size: int = 1000, seed: int = 0
) -> KernelDistance:
    """The squared maximum mean discrepancy with the kernel `(x . y / d + 1)^3` (Binkowski et al. 2018).

    The unbiased estimate, which may be below zero, is averaged over random subsets of `size` of each set (all of the
    smaller set where it has fewer): unlike the FID, its expectation does not depend on the number of samples.
    """
    size = min(size, len(features), len(reference))
    if size < 2:
        raise InputError(f"each set must have at least 2 features; got {len(features)} and {len(reference)}")
    if size == len(features) == len(reference):
        subsets = 1
    rng = np.random.default_rng(seed)
    estimates = [
        unbiased_discrepancy(_draw(rng, features, size), _draw(rng, reference, size)) for _ in range(max(1, subsets))
    ]
    return KernelDistance(float(np.mean(estimates)), float(np.std(estimates)))


def unbiased_discrepancy(x: np.ndarray, y: np.ndarray) -> float:
    """The unbiased estimate for two sets of n features: the mean of `k(x_i, x_j) + k(y_i, y_j) - 2 k(x_i, y_j)`.

    Pairs of one feature with itself are left out of the first two means, not of the third.
    """
    n = len(x)
    xx, yy, xy = _kernel(x, x), _kernel(y, y), _kernel(x, y)
    within = (xx.sum() - np.trace(xx) + yy.sum() - np.trace(yy)) / (n * (n - 1))
    return float(within - 2 * xy.mean())


def _kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    base = x @ y.T / x.shape[1] + 1
    return base * base * base  # `** 3` is many times slower


def _draw(rng: np.random.Generator, features: np.ndarray, size: int) -> np.ndarray:
    return np.asarray(features[rng.choice(len(features), size, replace=False)], np.float64)
