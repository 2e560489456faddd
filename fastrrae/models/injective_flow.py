"""The relaxed injective probability flow: an autoencoder whose decoder is a flow onto a surface (Kumar et al. 2020)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from flax import nnx
from jax import Array

from ..config_fields import PositiveInt, refuse
from ..objectives.injective_flow import log_volume_penalty, negative_log_prior_penalty, random_directions
from .base import Model, Penalty
from .bottleneck import Bottleneck, Identity
from .priors import StandardNormal


class InjectiveBottleneck(Identity):
    """The latent vector itself, a standard normal as its prior, and random directions to measure the decoder along."""

    def __init__(self, rank: int, projections: int, *, rngs: nnx.Rngs):
        super().__init__(rank, StandardNormal(rank))
        self.projections = projections
        self.noise = rngs.noise.fork()

    def draw_directions(self, z: Array) -> Array:
        """Fresh orthonormal directions (projections, batch, rank) for each of `z` (batch, rank)."""
        return random_directions(self.noise(), self.projections, z.shape)


@dataclass(frozen=True)
class InjectiveFlow(Model):
    """The injective flow: `-log p(z)` and the change of volume of the decoder take the place of a KL term.

    For an injective decoder, `log p(x) = log p(z) - 1/2 log det J^T J` on the surface that it covers. The
    log-determinant is replaced by an upper bound (`fastrrae.objectives.injective_flow.log_volume_bound`).
    """

    name: ClassVar[str] = "injective-flow"
    title: ClassVar[str] = "injective flow, relaxed"
    default_weights: ClassVar[Mapping[str, float]] = {"negative_log_prior": 0.1, "log_volume": 0.1}

    projections: PositiveInt = 1
    """Random directions along which the decoder's change of volume is measured, for each sample; at most the rank."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.projections > self.rank:
            refuse(
                f"`model.projections` must be at most `model.rank`, {self.rank}: the directions are orthogonal; got "
                f"{self.projections}"
            )

    def bottleneck(self, rngs: nnx.Rngs) -> Bottleneck:
        """The identity bottleneck, with a prior and directions."""
        return InjectiveBottleneck(self.rank, self.projections, rngs=rngs)

    def penalties(self) -> dict[str, Penalty]:
        """The negative logarithm of the prior, and the bound of the decoder's change of volume."""
        return {"negative_log_prior": negative_log_prior_penalty, "log_volume": log_volume_penalty}
