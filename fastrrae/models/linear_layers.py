"""Linear layers between encoder and bottleneck, whose product training drives to low rank."""

from functools import reduce

import jax.numpy as jnp
from flax import nnx
from jax import Array

from .bottlenecks import Latent
from .initializers import fan_in_uniform


class LinearLayers(nnx.Module):
    """The IRMAE (Jing et al. 2020): `z W_1 ... W_l`, square, without biases; at inference one matrix.

    Gradient descent on a product of matrices prefers those of low rank, the more the longer it is. With one layer, and
    a penalty on its singular values, it is the LoRAE (Mazumder et al. 2023).

    Args:
        rank: size of the latent vectors, before and after.
        count: l, how many layers.
        variance: of the initial weights, relative to the usual one; larger ones weaken the effect.
        rngs: of the weights, different for each layer.
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
        return z @ self.product()

    def expand(self, coefficients: Array) -> Array:
        return coefficients
