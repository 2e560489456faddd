"""Noise of one variance for all samples and coordinates."""

import jax
from flax import nnx
from jax import Array

from .bottlenecks import Latent


class ConstantVariance(nnx.Module):
    """The CV-VAE (Ghosh et al. 2020, section 2.2): `z + deviation * eps` in training; its KL term is `|z|^2 / 2`."""

    prior = None  # the constant variance is not that of a standard normal: densities are fitted afterwards

    def __init__(self, rank: int, deviation: float = 1.0, *, rngs: nnx.Rngs):
        self.latent_size = self.rank = rank
        self.scale = deviation
        self.noise = rngs.noise.fork()
        self.deterministic = False

    def __call__(self, z: Array) -> Latent:
        if self.deterministic:
            return Latent(z, z)
        return Latent(z + self.scale * jax.random.normal(self.noise(), z.shape, z.dtype), z)

    def coefficients(self, z: Array) -> Array:
        return z

    def expand(self, coefficients: Array) -> Array:
        return coefficients
