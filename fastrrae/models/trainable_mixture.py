"""A mixture of Gaussians as a prior that is trained with the model."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from .priors import diagonal_normal_log_prob


class TrainableMixture(nnx.Module):
    """Gaussians with trainable weights, means and variances, independent coordinates within each.

    Args:
        rank: the number of coefficients.
        components: how many Gaussians.
        spread: standard deviation of the initial means; the initial variances are 1, and the weights are equal.
        rngs: random streams of the initial means.
    """

    def __init__(self, rank: int, components: int, spread: float = 1.0, *, rngs: nnx.Rngs):
        self.rank, self.components = rank, components
        self.logits = nnx.Param(jnp.zeros(components))
        self.means = nnx.Param(spread * jax.random.normal(rngs.params(), (components, rank)))
        self.logvars = nnx.Param(jnp.zeros((components, rank)))

    def describe(self) -> str:
        """In words, for protocols."""
        return f"a mixture of {self.components} Gaussians of independent coordinates, trained with the model"

    def log_prob_of_components(self, z: Array) -> Array:
        """The logarithm of weight times density of each component at `z` (batch, rank): (batch, components)."""
        each = diagonal_normal_log_prob(z[:, None], self.means[...], self.logvars[...])
        return each + jax.nn.log_softmax(self.logits[...])

    def log_prob(self, z: Array) -> Array:
        """The logarithm of the density at `z` (batch, rank): (batch,), in nats."""
        return jax.nn.logsumexp(self.log_prob_of_components(z), axis=-1)

    def sample(self, count: int, seed: int) -> np.ndarray:
        """Draw `count` coefficient vectors, (count, rank), float32."""
        rng = np.random.default_rng(seed)
        weights = np.exp(np.asarray(jax.nn.log_softmax(self.logits[...]), np.float64))
        return self._around(rng.choice(self.components, size=count, p=weights / weights.sum()), rng)

    def sample_component(self, component: int, count: int, seed: int) -> np.ndarray:
        """Draw `count` coefficient vectors from one component alone, (count, rank), float32."""
        return self._around(np.full(count, component), np.random.default_rng([seed, component]))

    def assign(self, coefficients: np.ndarray) -> np.ndarray:
        """The most likely component of each of (count, rank): (count,)."""
        return np.asarray(self.log_prob_of_components(jnp.asarray(coefficients, jnp.float32))).argmax(axis=1)

    def _around(self, component: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        means, logvars = np.asarray(self.means[...]), np.asarray(self.logvars[...])
        noise = rng.standard_normal((len(component), self.rank), np.float32)
        return means[component] + np.exp(logvars[component] / 2) * noise
