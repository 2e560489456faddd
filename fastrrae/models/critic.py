"""What adversarial autoencoders share: a critic of latent vectors, its draws, its options and its update."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import jax
import optax
from flax import nnx
from jax import Array

from ..config_fields import PositiveFloat, PositiveInt
from ..networks.mlp import MLP
from ..objectives.critic_loss import critic_loss
from .autoencoder import Autoencoder
from .base import Model
from .separate_update import SeparateUpdate, StepBatch

CRITIC = ("bottleneck", "critic")


class Critic(nnx.Module):
    """Dense layers with ReLU from latent vectors (batch, rank) to a number for each, (batch,), and draws for its loss.

    Args:
        rank: size of the latent vectors.
        widths: units of the layers before the last.
        rngs: random streams of the layers and the draws.
    """

    def __init__(self, rank: int, widths: Sequence[int], *, rngs: nnx.Rngs):
        self.rank = rank
        self.mlp = MLP((rank, *widths, 1), rngs=rngs)
        self.noise = rngs.noise.fork()

    def __call__(self, z: Array) -> Array:
        return self.mlp(z)[:, 0]

    def draw_normal(self, count: int) -> Array:
        """Fresh standard normal draws (count, rank)."""
        return jax.random.normal(self.noise(), (count, self.rank))

    def loss(self, real: Array, generated: Array) -> Array:
        """`critic_loss` at fresh positions between the samples."""
        return critic_loss(self, real, generated, jax.random.uniform(self.noise(), (len(real), 1)))


@dataclass(frozen=True)
class AdversarialModel(Model):
    """The options of models with a critic. The papers' critics have four layers of 1024 units, and a rate of 1e-4."""

    critic_widths: tuple[PositiveInt, ...] = (128, 128)
    """Units of each layer of the critic; the papers have 1024 1024 1024 1024."""
    critic_steps: PositiveInt = 5
    """Updates of the critic in every step."""
    critic_learning_rate: PositiveFloat = 1e-3
    """Of the critic; the papers, which train much longer, have 1e-4."""

    def critic_update(
        self,
        real_and_generated: Callable[[Autoencoder, StepBatch], tuple[Array, Array]],
        optimiser: optax.GradientTransformation | None = None,
    ) -> SeparateUpdate:
        """The update of the critic, which tells apart what the function gives, (batch, rank) each; by default Adam."""

        def loss(model: Autoencoder, batch: StepBatch) -> Array:
            return critic_of(model).loss(*real_and_generated(model, batch))

        adam = optax.adam(self.critic_learning_rate, b1=0.0, b2=0.9)  # as Gulrajani et al. train critics
        return SeparateUpdate("critic", CRITIC, loss, optimiser or adam, self.critic_steps)


def critic_of(model: Autoencoder) -> Critic:
    """The critic in the model's bottleneck."""
    critic = model.bottleneck.critic  # pyright: ignore[reportAttributeAccessIssue]
    assert isinstance(critic, Critic)
    return critic
