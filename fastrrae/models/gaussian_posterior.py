"""The Gaussian of a sample's coefficients in variational models: its mean, its log-variance, and draws from it."""

from typing import Literal

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from ..networks.layers import linear

Mean = Literal["identity", "linear"]


class GaussianPosterior(nnx.Module):
    """`N(mean(alpha), exp(logvar(alpha)))`, independent coordinates.

    Args:
        rank: how many coefficients describe a sample.
        mean: the map to the means: `alpha` itself, or a linear layer.
        bounded: whether variances stay below 1, that of the standard normal: log-variances are then `-softplus(-h)`
            with a linear layer h, otherwise h itself, which grows with the coefficients.
        rngs: random streams of the layers and the noise.
    """

    def __init__(self, rank: int, mean: Mean, *, bounded: bool = False, rngs: nnx.Rngs):
        self.mean_head = linear(rank, rank, rngs=rngs) if mean == "linear" else None
        self.logvar_head = linear(rank, rank, rngs=rngs)
        self.noise = rngs.noise.fork()
        self.bounded = bounded

    def mean(self, alpha: Array) -> Array:
        """The means (batch, rank)."""
        return alpha if self.mean_head is None else self.mean_head(alpha)

    def logvar(self, alpha: Array) -> Array:
        """The log-variances (batch, rank)."""
        h = self.logvar_head(alpha)
        return -jax.nn.softplus(-h) if self.bounded else h

    def sample_noise(self, logvar: Array) -> Array:
        """`exp(logvar / 2) * eps` with a fresh standard normal eps: add it to the mean for a draw."""
        return jnp.exp(logvar / 2) * jax.random.normal(self.noise(), logvar.shape, logvar.dtype)
