"""The plain autoencoder."""

from dataclasses import dataclass
from typing import ClassVar

from flax import nnx

from .base import Model
from .bottleneck import Bottleneck, Identity


@dataclass(frozen=True)
class AE(Model):
    """The plain autoencoder: the latent vector is the vector of coefficients, and there is no penalty."""

    name: ClassVar[str] = "ae"
    title: ClassVar[str] = "autoencoder"

    def bottleneck(self, rngs: nnx.Rngs) -> Bottleneck:
        """The identity bottleneck."""
        return Identity(self.rank)
