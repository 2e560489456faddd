"""The density of the two-stage VAE (Dai and Wipf 2019): a second, small VAE learns how coefficients are distributed."""

from dataclasses import dataclass
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import Array

from ..fit import fit
from ..networks.mlp import MLP
from ..objectives.kl_divergence import kl_divergence

WIDTH, STEPS, BATCH, LEARNING_RATE = 128, 3000, 256, 2e-3
STEPS_PER_CALL = 500  # a step takes about a millisecond


class _Network(nnx.Module):
    """A VAE of vectors (rank,), with as many latent coordinates, whose decoder has a variance that is learned."""

    def __init__(self, rank: int, *, rngs: nnx.Rngs):
        self.encoder = MLP((rank, WIDTH, WIDTH, 2 * rank), rngs=rngs)
        self.decoder = MLP((rank, WIDTH, WIDTH, rank), rngs=rngs)
        # At 1, standardised coefficients are explained by noise alone, and it would stay so; where it starts much
        # smaller, the encoder copies coordinates, and their distribution is matched late.
        self.log_variance = nnx.Param(jnp.full((), -1.0))

    def loss(self, x: Array, key: Array) -> Array:
        """The negative evidence lower bound per sample, without its constant."""
        mean, logvar = jnp.split(self.encoder(x), 2, axis=-1)
        latent = mean + jnp.exp(logvar / 2) * jax.random.normal(key, mean.shape)
        misfit = jnp.sum((x - self.decoder(latent)) ** 2, axis=-1)
        log_variance = self.log_variance[...]
        fit = (misfit * jnp.exp(-log_variance) + x.shape[-1] * log_variance) / 2
        return jnp.mean(fit + kl_divergence(mean, logvar))


class _Coefficients(nnx.Variable):
    """The standardised training set, or the deviations of its posteriors: (count, rank); not trained."""


class _Training(nnx.Module):
    """A network with what it is trained on, from which rows are drawn on the device."""

    def __init__(self, network: _Network, coefficients: Array, deviations: Array):
        self.network = network
        self.coefficients, self.deviations = _Coefficients(coefficients), _Coefficients(deviations)


@dataclass(frozen=True)
class SecondStage:
    """`offset + scale * (decoder(u) + deviation * noise)`, with u and noise standard normal."""

    offset: np.ndarray  # (rank,)
    scale: np.ndarray  # (rank,)
    network: _Network
    of_posteriors: bool = False  # whether it was fitted on draws from posteriors, or else on coefficients

    @classmethod
    def fit(cls, coefficients: np.ndarray, seed: int = 0, *, logvars: np.ndarray | None = None) -> "SecondStage":
        """Train on coefficients (count, rank), which are standardised first; the same seed gives the same density.

        Args:
            coefficients: coefficients of the training set.
            seed: the seed of the initial parameters and the noise.
            logvars: log-variances (count, rank) of the posteriors of a variational model, whose means are the
                coefficients. The second stage is then trained on fresh draws from the posteriors at each step, as in
                the paper.
        """
        values = np.asarray(coefficients, np.float32)
        variances = np.zeros_like(values) if logvars is None else np.exp(np.asarray(logvars, np.float32))
        offset, scale = values.mean(axis=0), np.sqrt(values.var(axis=0) + variances.mean(axis=0))
        unit = np.where(scale > 0, scale, 1)
        network = _Network(values.shape[1], rngs=nnx.Rngs(seed))
        training = _Training(network, jnp.asarray((values - offset) / unit), jnp.asarray(np.sqrt(variances) / unit))
        keys = np.asarray(jax.random.key_data(jax.random.split(jax.random.key(seed), STEPS)))
        fit(training, _loss, _optimiser(STEPS), keys, steps_per_call=STEPS_PER_CALL)
        return cls(offset, scale, network, logvars is not None)

    def sample(self, count: int, seed: int) -> np.ndarray:
        """Draw `count` coefficient vectors, (count, rank), float32."""
        latent, noise = np.random.default_rng(seed).standard_normal((2, count, len(self.offset)), np.float32)
        deviation = np.exp(np.asarray(self.network.log_variance[...]) / 2)
        drawn = np.asarray(self.network.decoder(jnp.asarray(latent))) + deviation * noise
        return (self.offset + self.scale * drawn).astype(np.float32)


def _loss(training: _Training, key: Array) -> Array:
    """The loss of rows drawn at random by a key, given as its numbers."""
    of_rows, of_noise = jax.random.split(jax.random.wrap_key_data(key))
    x, deviations = training.coefficients[...], training.deviations[...]
    rows = jax.random.randint(of_rows, (BATCH,), 0, len(x))
    of_posterior = jax.random.fold_in(of_noise, 1)
    drawn = x[rows] + deviations[rows] * jax.random.normal(of_posterior, x[rows].shape)
    return training.network.loss(drawn, of_noise)


@lru_cache
def _optimiser(steps: int) -> optax.GradientTransformation:
    """One object for each number of steps, so that the compiled step is used again."""
    return optax.adam(optax.cosine_decay_schedule(LEARNING_RATE, steps))
