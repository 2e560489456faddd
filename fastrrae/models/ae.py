"""The plain autoencoder."""

from dataclasses import dataclass
from typing import ClassVar

from flax import nnx

from .base import Model
from .bottleneck import Bottleneck, Identity


@dataclass(frozen=True)
class AE(Model):
    """The plain (diabolo) autoencoder: as many latent coordinates as coefficients, and no penalty."""

    name: ClassVar[str] = "ae"
    title: ClassVar[str] = "autoencoder"

    def bottleneck(self, rngs: nnx.Rngs) -> Bottleneck:
        """The identity."""
        return Identity(self.rank)
