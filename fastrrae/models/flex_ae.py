"""The FlexAE: the prior is a network that training fits to the latent vectors (Mondal et al., FlexAE)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import Array

from ..config_fields import PositiveFloat, PositiveInt, refuse
from ..networks.mlp import MLP
from .autoencoder import Autoencoder
from .bottleneck import Bottleneck, Latent
from .critic import AdversarialModel, Critic, critic_of
from .inference import infer
from .priors import StandardNormal
from .separate_update import SeparateUpdate, StepBatch

GENERATOR = ("bottleneck", "generator")


class Generator(nnx.Module):
    """Dense layers with ReLU from standard normal noise (batch, noise_size) to latent vectors (batch, rank)."""

    def __init__(self, noise_size: int, rank: int, widths: Sequence[int], *, rngs: nnx.Rngs):
        self.noise_size = noise_size
        self.mlp = MLP((noise_size, *widths, rank), rngs=rngs)

    def __call__(self, noise: Array) -> Array:
        return self.mlp(noise)


@dataclass(frozen=True)
class GeneratedPrior:
    """The distribution of what a generator makes of standard normal noise."""

    generator: Generator

    def describe(self) -> str:
        """In words, for protocols."""
        return f"the prior, a network that was trained with the model, on {self.generator.noise_size} normal draws"

    def sample(self, count: int, seed: int) -> np.ndarray:
        """Draw `count` coefficient vectors, (count, rank), float32."""
        return infer(self.generator, "__call__", StandardNormal(self.generator.noise_size).sample(count, seed))


class GeneratorByCritic(nnx.Module):
    """The latent vector itself; a critic tells it from what a generator gives."""

    def __init__(
        self,
        rank: int,
        noise_size: int,
        generator_widths: Sequence[int],
        critic_widths: Sequence[int],
        *,
        rngs: nnx.Rngs,
    ):
        self.latent_size = self.rank = rank
        self.generator = Generator(noise_size, rank, generator_widths, rngs=rngs)
        self.critic = Critic(rank, critic_widths, rngs=rngs)
        self.noise = rngs.noise.fork()

    @property
    def prior(self) -> GeneratedPrior:
        """What the generator gives, as it is now."""
        return GeneratedPrior(self.generator)

    def __call__(self, z: Array) -> Latent:
        return Latent(z, z)

    def draw_prior(self, count: int) -> Array:
        """Fresh draws (count, rank) from the prior."""
        return self.generator(jax.random.normal(self.noise(), (count, self.generator.noise_size)))

    def coefficients(self, z: Array) -> Array:
        """The latent vectors, unchanged."""
        return z

    def expand(self, coefficients: Array) -> Array:
        """The coefficients, unchanged."""
        return coefficients


@dataclass(frozen=True)
class FlexAE(AdversarialModel):
    """The FlexAE: an autoencoder with a flexible prior.

    The prior is a generator, a network on standard normal noise. In every step, after
    the autoencoder's own update, the critic learns to tell latent vectors from the generator's,
    the generator learns to be taken for latent vectors, and the encoder, at a low rate, meets it.

    Example:
        >>> config = RunConfig("mine", model=FlexAE(rank=16))
        >>> load_run("runs/mine").model.sample(10)  # from the prior
    """

    name: ClassVar[str] = "flex-ae"
    title: ClassVar[str] = "FlexAE, prior that is learned against a critic"

    noise_size: PositiveInt | None = None
    """Noise that the generator starts from, at least as much as coefficients; by default as much."""
    generator_widths: tuple[PositiveInt, ...] = (128, 128)
    """Units of each layer of the generator; the paper has 1024 1024 1024 1024."""
    generator_learning_rate: PositiveFloat = 1e-3
    """Of the generator; the paper, which trains much longer, has 2e-4."""
    encoder_learning_rate: PositiveFloat = 1e-5
    """Of the encoder where it meets the generator."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.noise_size is not None and self.noise_size < self.rank:
            refuse(f"`model.noise_size` must be at least `model.rank` = {self.rank}; got {self.noise_size}")

    def bottleneck(self, rngs: nnx.Rngs) -> Bottleneck:
        """The identity bottleneck, with a generator and a critic."""
        noise = self.noise_size or self.rank
        return GeneratorByCritic(self.rank, noise, self.generator_widths, self.critic_widths, rngs=rngs)

    def separate_updates(self, steps: int) -> Sequence[SeparateUpdate]:
        """The updates of the critic, of the generator, and of the encoder by the critic."""
        generator = optax.adam(self.generator_learning_rate, b1=0.0, b2=0.9)
        encoder = optax.adam(self.encoder_learning_rate)
        return [
            self.critic_update(_codes_and_generated),
            SeparateUpdate("generator", GENERATOR, _generator_loss, generator),
            SeparateUpdate("encoder", ("encoder",), _encoder_loss, encoder, shared=True),
        ]


def _generated(model: Autoencoder, batch: StepBatch) -> Array:
    bottleneck = model.bottleneck
    assert isinstance(bottleneck, GeneratorByCritic)
    return bottleneck.draw_prior(len(batch.latent.z))


def _codes_and_generated(model: Autoencoder, batch: StepBatch) -> tuple[Array, Array]:
    return batch.latent.z, _generated(model, batch)


def _generator_loss(model: Autoencoder, batch: StepBatch) -> Array:
    return -jnp.mean(critic_of(model)(_generated(model, batch)))


def _encoder_loss(model: Autoencoder, batch: StepBatch) -> Array:
    _, latent = batch.reconstruct(model)
    return jnp.mean(critic_of(model)(latent.z))
