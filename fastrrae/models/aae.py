"""The adversarial autoencoder (Makhzani et al. 2016) with a Wasserstein critic, also called WAE-GAN."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from flax import nnx
from jax import Array

from ..objectives.critic_loss import wasserstein_estimate
from .autoencoder import Autoencoder, Output
from .base import Penalty
from .bottleneck import Bottleneck, Identity
from .critic import AdversarialModel, Critic, critic_of
from .priors import StandardNormal
from .separate_update import SeparateUpdate, StepBatch


class NormalByCritic(Identity):
    """The latent vector itself; a critic tells it from draws of a standard normal."""

    def __init__(self, rank: int, critic_widths: tuple[int, ...], *, rngs: nnx.Rngs):
        super().__init__(rank, StandardNormal(rank))
        self.critic = Critic(rank, critic_widths, rngs=rngs)


@dataclass(frozen=True)
class AAE(AdversarialModel):
    """The adversarial autoencoder.

    The loss is `reconstruction + weight * W`, where W is the Wasserstein
    distance between the standard normal and the latent vectors of a batch, as a
    critic estimates it: `mean C(prior) - mean C(z)`. In every step the critic is
    updated several times, to make that estimate as large as a slope of 1 allows.

    Example:
        >>> config = RunConfig("mine", model=AAE(rank=8), objective=ObjectiveConfig(weights={"wasserstein": 10.0}))
    """

    name: ClassVar[str] = "aae"
    title: ClassVar[str] = "adversarial autoencoder, WAE-GAN"
    default_weights: ClassVar[Mapping[str, float]] = {"wasserstein": 10.0}

    def bottleneck(self, rngs: nnx.Rngs) -> Bottleneck:
        """The identity bottleneck, with a critic."""
        return NormalByCritic(self.rank, self.critic_widths, rngs=rngs)

    def penalties(self) -> dict[str, Penalty]:
        """The critic's estimate of the distance to the prior."""
        return {"wasserstein": _wasserstein}

    def separate_updates(self, steps: int) -> Sequence[SeparateUpdate]:
        """The update of the critic."""
        return [self.critic_update(_prior_and_codes)]


def _prior_and_codes(model: Autoencoder, batch: StepBatch) -> tuple[Array, Array]:
    z = batch.latent.z
    return critic_of(model).draw_normal(len(z)), z


def _wasserstein(model: Autoencoder, x: Array, output: Output) -> Array:
    critic, z = critic_of(model), output.latent.z
    return wasserstein_estimate(critic, critic.draw_normal(len(z)), z)
