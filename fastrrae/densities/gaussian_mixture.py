"""A mixture of Gaussians over coefficients."""

import math
import warnings
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..errors import InputError

MOST_ITERATIONS = 100  # of expectation maximisation; what was reached by then is used


@dataclass(frozen=True)
class GaussianMixture:
    """A mixture of Gaussians with full covariances: `N(means_i, factors_i factors_i^T)` with weight `weights_i`."""

    weights: np.ndarray  # (components,), sum 1
    means: np.ndarray  # (components, rank)
    factors: np.ndarray  # (components, rank, rank), lower triangular

    @classmethod
    def fit(cls, coefficients: np.ndarray, components: int = 10, seed: int = 0) -> "GaussianMixture":
        """Fit by scikit-learn's expectation maximisation on coefficients (count, rank).

        No more components are used than there are samples.
        """
        from sklearn.exceptions import ConvergenceWarning  # a second to import
        from sklearn.mixture import GaussianMixture as Mixture

        if components < 1:
            raise InputError(f"`components` of the mixture must be at least 1; got {components}")
        values = np.asarray(coefficients, np.float64)
        # Covariances are regularised relative to the data: a rank-reduced latent space can be of any scale.
        floor = 1e-6 * max(float(values.var(axis=0).mean()), 1e-12)
        mixture = Mixture(min(components, len(values)), random_state=seed, reg_covar=floor, max_iter=MOST_ITERATIONS)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            mixture.fit(values)
        weights, means, covariances = map(np.asarray, (mixture.weights_, mixture.means_, mixture.covariances_))
        return cls(weights, means, np.linalg.cholesky(covariances))

    @property
    def components(self) -> int:
        """How many Gaussians."""
        return len(self.weights)

    def log_prob(self, z: Array) -> Array:
        """The logarithm of the density at `z` (batch, rank): (batch,), in nats."""
        inverses = jnp.asarray(np.linalg.inv(self.factors), z.dtype)
        white = jnp.einsum("kij,bkj->bki", inverses, z[:, None] - jnp.asarray(self.means, z.dtype))
        log_size = np.sum(np.log(np.diagonal(self.factors, axis1=1, axis2=2)), axis=1)
        constant = np.log(self.weights) - log_size - 0.5 * self.means.shape[1] * math.log(2 * math.pi)
        each = jnp.asarray(constant, z.dtype) - 0.5 * jnp.sum(white**2, axis=-1)
        return jax.nn.logsumexp(each, axis=-1)

    def sample(self, count: int, seed: int) -> np.ndarray:
        """Draw `count` coefficient vectors, (count, rank), float32, in random order of components."""
        rng = np.random.default_rng(seed)
        component = rng.choice(len(self.weights), size=count, p=self.weights)
        noise = rng.standard_normal((count, self.means.shape[1]))
        draws = self.means[component] + np.einsum("nij,nj->ni", self.factors[component], noise)
        return draws.astype(np.float32)

    def log_density(self, coefficients: np.ndarray) -> np.ndarray:
        """The logarithm of the density at coefficients (count, rank): (count,), in nats."""
        from scipy.linalg import solve_triangular
        from scipy.special import logsumexp

        centred = coefficients[:, None] - self.means  # (count, components, rank)
        whitened = np.stack(
            [solve_triangular(factor, centred[:, i].T, lower=True) for i, factor in enumerate(self.factors)]
        )
        determinants = np.log(np.diagonal(self.factors, axis1=1, axis2=2)).sum(axis=1)
        constant = np.log(self.weights) - determinants - self.means.shape[1] / 2 * np.log(2 * np.pi)
        return np.asarray(logsumexp(constant[:, None] - (whitened**2).sum(axis=1) / 2, axis=0))

    def sample_component(self, component: int, count: int, seed: int) -> np.ndarray:
        """Draw `count` coefficient vectors from one component alone, (count, rank), float32."""
        noise = np.random.default_rng([seed, component]).standard_normal((count, self.means.shape[1]))
        return (self.means[component] + noise @ self.factors[component].T).astype(np.float32)
