"""The IRMAE: linear layers between encoder and decoder, whose product training drives to low rank."""

from dataclasses import dataclass
from functools import reduce
from typing import ClassVar

import jax.numpy as jnp
from flax import nnx
from jax import Array

from ..config_fields import PositiveFloat, PositiveInt
from ..networks.initializers import fan_in_uniform
from .base import Model
from .bottleneck import Bottleneck, Latent


class LinearLayers(nnx.Module):
    """`z W_1 ... W_l`, square matrices without biases (Jing et al. 2020); at inference one matrix.

    Gradient descent on a product of matrices prefers those of low rank, the more the longer it is.

    Args:
        rank: size of the latent vectors, before and after.
        count: l, how many layers.
        variance: the variance of the initial weights, relative to the usual one; larger ones weaken the effect.
        rngs: random streams of the weights, different for each layer.
    """

    prior = None

    def __init__(self, rank: int, count: int, variance: float = 1.0, *, rngs: nnx.Rngs):
        self.latent_size = self.rank = rank
        initialise = fan_in_uniform(rank)
        self.weights = nnx.List(
            nnx.Param(variance**0.5 * initialise(rngs.params(), (rank, rank))) for _ in range(count)
        )

    def __call__(self, z: Array) -> Latent:
        for weight in self.weights:
            z = z @ weight[...]
        return Latent(z, z)

    def product(self) -> Array:
        """All layers as one matrix (rank, rank)."""
        return reduce(jnp.matmul, (weight[...] for weight in self.weights))

    def coefficients(self, z: Array) -> Array:
        """The latent vectors after all layers."""
        return z @ self.product()

    def expand(self, coefficients: Array) -> Array:
        """The coefficients, unchanged."""
        return coefficients


@dataclass(frozen=True)
class IRMAE(Model):
    """The implicit rank-minimising autoencoder."""

    name: ClassVar[str] = "irmae"
    title: ClassVar[str] = "implicit rank-minimising autoencoder"

    linear_layers: PositiveInt = 4
    """Linear layers between encoder and decoder; the more, the lower the rank that training finds."""
    linear_variance: PositiveFloat = 1.0
    """Variance of their initial weights, relative to the usual one."""

    def bottleneck(self, rngs: nnx.Rngs) -> Bottleneck:
        """The linear layers."""
        return LinearLayers(self.rank, self.linear_layers, self.linear_variance, rngs=rngs)
