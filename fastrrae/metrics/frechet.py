"""The Fréchet distance between two sets of features: the FID, where the features are those of a trained network."""

from dataclasses import dataclass

import numpy as np

from ..errors import InputError

_ROWS = 4096  # features are converted to float64 in blocks of this many rows


@dataclass(frozen=True)
class Moments:
    """Mean and covariance of features, all that the distance needs of them."""

    count: int
    mean: np.ndarray  # (dimensions,)
    covariance: np.ndarray  # (dimensions, dimensions), divided by count - 1

    @property
    def singular(self) -> bool:
        """Whether there are too few samples for a covariance of full rank: then distances to it are biased upwards."""
        return self.count <= len(self.mean)


def moments(features: np.ndarray) -> Moments:
    """Mean and covariance of features (count, dimensions), summed in float64."""
    features = np.asarray(features)
    if features.ndim != 2 or len(features) < 2:
        raise InputError(f"features must be (count, dimensions) with a count of at least 2; got {features.shape}")
    mean = features.mean(axis=0, dtype=np.float64)
    scatter = np.zeros((len(mean), len(mean)))
    for start in range(0, len(features), _ROWS):
        centred = features[start : start + _ROWS] - mean
        scatter += centred.T @ centred
    return Moments(len(features), mean, scatter / (len(features) - 1))


def frechet_distance(a: Moments, b: Moments) -> float:
    """`|m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2))` (Dowson and Landau 1982; Heusel et al. 2017).

    With `C = F F^T`, the trace of the root is the sum of the singular values of `F_a^T F_b`: no root of a product is
    taken, nothing becomes complex, and covariances of any rank will do. The result depends on the number of samples
    (`Moments.singular` says where it is badly biased): compare only what was computed with equal numbers.
    """
    if a.mean.shape != b.mean.shape:
        raise InputError(f"both must have features of the same dimensions; got {len(a.mean)} and {len(b.mean)}")
    overlap = np.linalg.svd(_factor(a.covariance).T @ _factor(b.covariance), compute_uv=False).sum()
    spread = np.trace(a.covariance) + np.trace(b.covariance) - 2 * overlap
    return float(max(np.sum((a.mean - b.mean) ** 2) + spread, 0.0))


def _factor(covariance: np.ndarray) -> np.ndarray:
    """`F` (dimensions, rank) with `F F^T = covariance`, without the directions that are rounding alone."""
    values, vectors = np.linalg.eigh(covariance)
    kept = values > len(values) * np.finfo(np.float64).eps * max(values[-1], 0.0)
    return vectors[:, kept] * np.sqrt(values[kept])
