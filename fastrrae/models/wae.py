"""The Wasserstein autoencoder with a maximum mean discrepancy (Tolstikhin et al. 2018)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import jax
from flax import nnx
from jax import Array

from ..objectives.maximum_mean_discrepancy import mmd_penalty
from .base import Model, Penalty
from .bottleneck import Bottleneck, Identity
from .priors import StandardNormal


class NormalMatched(Identity):
    """The latent vector itself; a penalty compares the batch with draws from a standard normal."""

    def __init__(self, rank: int, *, rngs: nnx.Rngs):
        super().__init__(rank, StandardNormal(rank))
        self.noise = rngs.noise.fork()

    def draw_prior(self, count: int) -> Array:
        """Fresh draws (count, rank) to compare with."""
        return jax.random.normal(self.noise(), (count, self.rank))


@dataclass(frozen=True)
class WAE(Model):
    """The Wasserstein autoencoder (WAE-MMD)."""

    name: ClassVar[str] = "wae"
    title: ClassVar[str] = "Wasserstein autoencoder, MMD"
    default_weights: ClassVar[Mapping[str, float]] = {"mmd": 50.0}

    def bottleneck(self, rngs: nnx.Rngs) -> Bottleneck:
        """The identity bottleneck, with a prior to compare with."""
        return NormalMatched(self.rank, rngs=rngs)

    def penalties(self) -> dict[str, Penalty]:
        """The maximum mean discrepancy to the prior."""
        return {"mmd": mmd_penalty}
