"""The CV-VAE: noise of one variance for all samples and coordinates (Ghosh et al. 2020, section 2.2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import jax
from flax import nnx
from jax import Array

from ..config_fields import NonNegativeFloat
from ..objectives.latent_l2_penalty import latent_l2_penalty
from .base import Model, Penalty
from .bottleneck import Bottleneck, Latent


class ConstantVariance(nnx.Module):
    """`z + deviation * eps` in training, with a standard normal eps; the KL term of this posterior is `|z|^2 / 2`."""

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
        """The latent vectors, unchanged."""
        return z

    def expand(self, coefficients: Array) -> Array:
        """The coefficients, unchanged."""
        return coefficients


@dataclass(frozen=True)
class CVVAE(Model):
    """The constant-variance variational autoencoder."""

    name: ClassVar[str] = "cv-vae"
    title: ClassVar[str] = "constant-variance VAE"
    draws_noise: ClassVar[bool] = True
    default_weights: ClassVar[Mapping[str, float]] = {"latent_l2": 1e-2}

    deviation: NonNegativeFloat = 1.0
    """Standard deviation of the noise on coefficients."""

    def bottleneck(self, rngs: nnx.Rngs) -> Bottleneck:
        """Noise of constant variance."""
        return ConstantVariance(self.rank, self.deviation, rngs=rngs)

    def penalties(self) -> dict[str, Penalty]:
        """The mean square of the coefficients: the KL term up to constants."""
        return {"latent_l2": latent_l2_penalty}
