"""A density over vectors: a standard normal, seen through invertible layers."""

import math

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from ..inference import infer
from .spline_coupling import SplineCouplings

LAYERS, WIDTH = 4, 64


class NormalisingFlow(nnx.Module):
    """`log p(z) = log N(u; 0, I) + log |det du/dz|` with `u = layers((z - shift) * exp(-log_scale))`.

    The layers are spline couplings (`SplineCouplings`); they start as the identity.

    Args:
        rank: size of the vectors.
        layers: how many couplings.
        width: units of the hidden layers of their networks.
        rngs: random streams of the initial parameters.

    Example:
        >>> flow = NormalisingFlow(2, rngs=nnx.Rngs(0))
        >>> flow.log_prob(z), flow.sample(100, seed=0)  # (batch,), (100, 2)
    """

    def __init__(self, rank: int, *, layers: int = LAYERS, width: int = WIDTH, rngs: nnx.Rngs):
        self.rank = rank
        self.shift = nnx.Param(jnp.zeros(rank))
        self.log_scale = nnx.Param(jnp.zeros(rank))
        self.couplings = SplineCouplings(rank, layers, width, rngs=rngs)

    def describe(self) -> str:
        """In words, for protocols."""
        return f"a normalising flow ({self.couplings.layers} spline couplings), trained with the model"

    def __call__(self, z: Array) -> tuple[Array, Array]:
        """The standard normal `u` (batch, rank) of `z` (batch, rank), and log |det du/dz| (batch,)."""
        log_scale = self.log_scale[...]
        u = (z - self.shift[...]) * jnp.exp(-log_scale)
        u, log_determinant = self.couplings(u)
        return u, log_determinant - jnp.sum(log_scale)

    def inverse(self, u: Array) -> Array:
        """Vectors `z` (batch, rank) from standard normal ones."""
        return self.shift[...] + self.couplings.inverse(u) * jnp.exp(self.log_scale[...])

    def log_prob(self, z: Array) -> Array:
        """The logarithm of the density at `z` (batch, rank): (batch,), in nats."""
        u, log_determinant = self(z)
        return -0.5 * jnp.sum(u**2, axis=-1) - 0.5 * self.rank * math.log(2 * math.pi) + log_determinant

    def sample(self, count: int, seed: int) -> np.ndarray:
        """Draw `count` vectors, (count, rank), float32."""
        u = np.random.default_rng(seed).standard_normal((count, self.rank), np.float32)
        return infer(self, "inverse", u)
