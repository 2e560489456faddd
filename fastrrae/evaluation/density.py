"""Distributions over coefficients, to draw new samples from."""

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture as Mixture

from ..errors import InputError


@dataclass(frozen=True)
class StandardNormal:
    """Independent standard normals: what variational models are pulled towards."""

    rank: int

    def sample(self, count: int, seed: int) -> np.ndarray:
        """Draw `count` coefficient vectors, (count, rank), float32."""
        return np.random.default_rng(seed).standard_normal((count, self.rank), np.float32)


@dataclass(frozen=True)
class GaussianMixture:
    """A mixture of Gaussians with full covariances, fitted by scikit-learn's expectation maximisation."""

    mixture: Mixture

    @classmethod
    def fit(cls, coefficients: np.ndarray, components: int = 10, seed: int = 0) -> "GaussianMixture":
        """Fit on coefficients (count, rank); no more components are used than there are samples."""
        if components < 1:
            raise InputError(f"mixture components must be at least 1; got {components}")
        values = np.asarray(coefficients, np.float64)
        # Covariances are regularised relative to the data: a rank-reduced latent space can be of any scale.
        floor = 1e-6 * max(float(values.var(axis=0).mean()), 1e-12)
        mixture = Mixture(min(components, len(values)), random_state=seed, reg_covar=floor)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return cls(mixture.fit(values))

    def sample(self, count: int, seed: int) -> np.ndarray:
        """Draw `count` coefficient vectors, (count, rank), float32, in random order of components."""
        rng = np.random.default_rng(seed)
        component = rng.choice(len(self.mixture.weights_), size=count, p=self.mixture.weights_)
        factors = np.linalg.cholesky(self.mixture.covariances_)
        noise = rng.standard_normal((count, self.mixture.means_.shape[1]))
        draws = self.mixture.means_[component] + np.einsum("nij,nj->ni", factors[component], noise)
        return draws.astype(np.float32)
