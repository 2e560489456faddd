"""The VAE with a VampPrior: the posteriors of trained inputs are its prior (Tomczak and Welling 2018)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from ..config_fields import PositiveInt
from .autoencoder import Autoencoder
from .base import TrainingContext, TrainingEvent
from .bottleneck import Bottleneck
from .gaussian_posterior import Mean
from .one_draw_vae import OneDrawBottleneck, OneDrawVAE
from .priors import diagonal_normal_log_prob

_INITIAL_DEVIATION = 0.1  # of pseudo-inputs, until training samples take their place


@dataclass(frozen=True)
class VampPrior:
    """The mean of the posteriors of pseudo-inputs: `1/K sum_k q(z | u_k)` (equation 9)."""

    means: Array  # (K, rank)
    logvars: Array  # (K, rank)

    def describe(self) -> str:
        """In words, for protocols."""
        return f"a VampPrior of {len(self.means)} pseudo-inputs, trained with the model"

    def log_prob(self, z: Array) -> Array:
        """The logarithm of the density at `z` (batch, rank): (batch,), in nats."""
        each = diagonal_normal_log_prob(z[:, None], self.means, self.logvars)
        return jax.nn.logsumexp(each, axis=-1) - jnp.log(float(len(self.means)))

    def sample(self, count: int, seed: int) -> np.ndarray:
        """Draw `count` coefficient vectors, (count, rank), float32."""
        rng = np.random.default_rng(seed)
        chosen = rng.integers(len(self.means), size=count)
        noise = rng.standard_normal((count, self.means.shape[1]), np.float32)
        return np.asarray(self.means)[chosen] + np.exp(np.asarray(self.logvars)[chosen] / 2) * noise


class Chosen(nnx.Variable):
    """Whether the pseudo-inputs have started as training samples: () float, 0 or 1."""


class VampBottleneck(OneDrawBottleneck):
    """The VAE's bottleneck, and pseudo-inputs whose posteriors are the prior.

    Args:
        rank: how many coefficients describe a sample.
        mean: the map from the latent vector to the means.
        bounded: whether variances stay below 1, see `GaussianPosterior`.
        rngs: random streams of the layers and the noise.
    """

    def __init__(self, rank: int, mean: Mean, *, bounded: bool = False, rngs: nnx.Rngs):
        super().__init__(rank, mean, bounded=bounded, rngs=rngs)
        self.prior = None  # it depends on the encoder
        self.chosen = Chosen(jnp.zeros(()))

    def set_pseudo_inputs(self, values: Array) -> None:
        """Start with the pseudo-inputs `values` (K, *sample_shape), in the values that the encoder sees."""
        self.pseudo_inputs = nnx.Param(values)

    def prior_by(self, encode: Callable[[Array], Array]) -> VampPrior:
        """The prior, by the encoder as it is at inference: running means stay as they are."""
        z = encode(self.pseudo_inputs[...])
        return VampPrior(self.posterior.mean(z), self.posterior.logvar(z))


@dataclass(frozen=True)
class VampVAE(OneDrawVAE):
    """The VAE with a VampPrior. Its pseudo-inputs start as samples of the training set."""

    name: ClassVar[str] = "vamp-vae"
    title: ClassVar[str] = "VAE, VampPrior"

    pseudo_inputs: PositiveInt = 100
    """Trained inputs (K in the paper) whose posteriors are the prior."""

    def bottleneck(self, rngs: nnx.Rngs) -> Bottleneck:
        """A Gaussian for each sample; the pseudo-inputs come with the shape of a sample."""
        return VampBottleneck(self.rank, self.mean, bounded=self.bounded_variance, rngs=rngs)

    def extend(self, model: Autoencoder, sample_shape: tuple[int, ...], rngs: nnx.Rngs) -> None:
        """Add the pseudo-inputs."""
        assert isinstance(model.bottleneck, VampBottleneck)
        noise = jax.random.normal(rngs.params(), (self.pseudo_inputs, *sample_shape))
        model.bottleneck.set_pseudo_inputs(_INITIAL_DEVIATION * noise)

    def events(self, steps: int) -> Sequence[TrainingEvent]:
        """Before the first step, training samples become the pseudo-inputs."""
        return [TrainingEvent(1, _choose)]


def _choose(model: Autoencoder, context: TrainingContext) -> None:
    bottleneck = model.bottleneck
    assert isinstance(bottleneck, VampBottleneck)
    if bottleneck.chosen[...]:
        return  # the parameters are those of a run that has been trained
    inputs = bottleneck.pseudo_inputs
    inputs.set_value(jnp.asarray(context.samples(len(inputs[...])), inputs[...].dtype))
    bottleneck.chosen.set_value(jnp.ones_like(bottleneck.chosen[...]))
