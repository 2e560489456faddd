"""One Gaussian over coefficients."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class MultivariateNormal:
    """One Gaussian with full covariance, `N(mean, factor factor^T)`."""

    mean: np.ndarray  # (rank,)
    factor: np.ndarray  # (rank, rank)

    @classmethod
    def fit(cls, coefficients: np.ndarray) -> "MultivariateNormal":
        """Mean and covariance of coefficients (count, rank); the covariance may be singular."""
        values = np.asarray(coefficients, np.float64)
        variances, vectors = np.linalg.eigh(np.atleast_2d(np.cov(values, rowvar=False, bias=True)))
        return cls(values.mean(axis=0), vectors * np.sqrt(np.maximum(variances, 0)))

    def sample(self, count: int, seed: int) -> np.ndarray:
        """Draw `count` coefficient vectors, (count, rank), float32."""
        noise = np.random.default_rng(seed).standard_normal((count, len(self.mean)))
        return (self.mean + noise @ self.factor.T).astype(np.float32)
