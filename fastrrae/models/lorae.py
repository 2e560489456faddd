"""The LoRAE: one linear layer before the decoder, kept at low rank by its nuclear norm (Mazumder et al. 2023)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from flax import nnx
from jax import Array

from ..objectives.nuclear_norm import nuclear_norm
from .autoencoder import Autoencoder, Output
from .base import Model, Penalty
from .bottleneck import Bottleneck
from .irmae import LinearLayers


@dataclass(frozen=True)
class LoRAE(Model):
    """The low-rank autoencoder."""

    name: ClassVar[str] = "lorae"
    title: ClassVar[str] = "low-rank autoencoder"
    default_weights: ClassVar[Mapping[str, float]] = {"nuclear_norm": 1e-2}

    def bottleneck(self, rngs: nnx.Rngs) -> Bottleneck:
        """One linear layer."""
        return LinearLayers(self.rank, 1, rngs=rngs)

    def penalties(self) -> dict[str, Penalty]:
        """The nuclear norm of the linear layer."""
        return {"nuclear_norm": _nuclear_norm_of_the_layer}


def _nuclear_norm_of_the_layer(model: Autoencoder, x: Array, output: Output) -> Array:
    return nuclear_norm(model.bottleneck.product())  # pyright: ignore[reportAttributeAccessIssue]
