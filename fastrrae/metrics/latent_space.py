"""Whether a latent space is used: signs of posterior collapse, and of coordinates that say the same twice."""

import numpy as np

SHARE = 1e-3  # of the largest eigenvalue of a covariance, above which others count in its numerical rank
ACTIVE = 0.01  # variance of a coordinate's mean over the data, above which Burda et al. call it active


def kl_per_dimension(mean: np.ndarray, logvar: np.ndarray) -> np.ndarray:
    """Mean over samples of KL(N(mean, exp(logvar)) || N(0, 1)) for each coordinate, in nats: (count, rank) -> (rank,).

    Close to zero where the posterior is the prior whatever the sample: a collapsed coordinate.
    """
    mean, logvar = np.asarray(mean, np.float64), np.asarray(logvar, np.float64)
    return -0.5 * np.mean(1 + logvar - mean**2 - np.exp(logvar), axis=0)


def active_units(mean: np.ndarray, threshold: float = ACTIVE) -> int:
    """Coordinates of (count, rank) whose variance over the samples is above `threshold` (Burda et al. 2016).

    Depends on the scale of the coordinates and on their rotation: codes that fill one direction alone have as many
    active units as that direction has coordinates. `effective_rank` and `numerical_rank` of the variances along
    principal axes do not depend on the rotation.
    """
    return int(np.sum(np.var(np.asarray(mean, np.float64), axis=0) > threshold))


def effective_rank(values: np.ndarray) -> float:
    """`exp(-sum p_i log p_i)` of singular values (or variances) scaled to sum to one (Roy and Vetterli 2007).

    Between 1, where one value is all there is, and their number, where all are equal; 0 where all are zero.
    """
    values = np.asarray(values, np.float64)
    if not values.sum() > 0:
        return 0.0
    shares = values[values > 0] / values.sum()
    return float(np.exp(-np.sum(shares * np.log(shares))))


def numerical_rank(variances: np.ndarray, share: float = SHARE) -> int:
    """How many eigenvalues of a covariance are above `share` of the largest: 0 where all are zero."""
    values = np.asarray(variances, np.float64)
    largest = values.max(initial=0.0)
    return int(np.sum(values > share * largest)) if largest > 0 else 0


def correlation(coefficients: np.ndarray) -> float:
    """Mean absolute correlation between different coordinates of (count, rank): 0 if uncorrelated, 1 if the same.

    Coordinates that do not vary are left out; 0 where fewer than two vary.
    """
    values = np.asarray(coefficients, np.float64)
    centred = values - values.mean(axis=0)
    size = np.linalg.norm(centred, axis=0)
    varying = size > 1e-12 * max(float(size.max(initial=0.0)), np.finfo(float).tiny)
    unit = centred[:, varying] / size[varying]
    n = unit.shape[1]
    if n < 2:
        return 0.0
    return float((np.abs(unit.T @ unit).sum() - n) / (n * (n - 1)))
