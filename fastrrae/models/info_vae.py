"""The InfoVAE: a VAE whose codes as a whole are compared with the prior as well (Zhao et al. 2019)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import jax
from flax import nnx
from jax import Array

from ..objectives.maximum_mean_discrepancy import mmd_penalty
from .base import Penalty
from .bottleneck import Bottleneck
from .vae import VAE, VariationalBottleneck


class VariationalBottleneckWithDraws(VariationalBottleneck):
    """The VAE's bottleneck, and draws from its prior to compare with."""

    def draw_prior(self, count: int) -> Array:
        """Fresh draws (count, rank) from the standard normal."""
        return jax.random.normal(self.posterior.noise(), (count, self.rank))


@dataclass(frozen=True)
class InfoVAE(VAE):
    """The InfoVAE, with a maximum mean discrepancy."""

    name: ClassVar[str] = "info-vae"
    title: ClassVar[str] = "InfoVAE, MMD"
    default_weights: ClassVar[Mapping[str, float]] = {"mmd": 50.0}

    def bottleneck(self, rngs: nnx.Rngs) -> Bottleneck:
        """A Gaussian for each sample."""
        return VariationalBottleneckWithDraws(self.rank, self.mean, bounded=self.bounded_variance, rngs=rngs)

    def penalties(self) -> dict[str, Penalty]:
        """The KL term, and the maximum mean discrepancy to the prior."""
        return {**super().penalties(), "mmd": mmd_penalty}
