"""What VAEs share whose KL term has no closed form: draws with their density, and a KL term by one draw."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from jax import Array

from ..objectives.one_draw_kl import one_draw_kl_penalty
from .base import Penalty
from .bottleneck import Latent
from .priors import diagonal_normal_log_prob
from .vae import VAE, VariationalBottleneck


class OneDrawBottleneck(VariationalBottleneck):
    """The VAE's bottleneck, with log q(z | x) of each draw."""

    def __call__(self, z: Array) -> Latent:
        latent = super().__call__(z)
        assert latent.logvar is not None
        return latent._replace(log_prob=diagonal_normal_log_prob(latent.z, latent.mean, latent.logvar))


@dataclass(frozen=True)
class OneDrawVAE(VAE):
    """The options of VAEs whose prior or posterior is not Gaussian."""

    default_weights: ClassVar[Mapping[str, float]] = {"kl": 1e-3}

    def penalties(self) -> dict[str, Penalty]:
        """The KL term, by the draw that is decoded."""
        return {"kl": one_draw_kl_penalty(self.kl_reduction)}
