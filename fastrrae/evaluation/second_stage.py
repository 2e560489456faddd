"""The density of the two-stage VAE (Dai and Wipf 2019): a second, small VAE learns how coefficients are distributed."""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import Array

from ..models.mlp import MLP
from ..objectives.kl import kl_divergence

WIDTH, STEPS, BATCH, LEARNING_RATE = 128, 3000, 256, 2e-3


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


@dataclass(frozen=True)
class SecondStage:
    """`offset + scale * (decoder(u) + deviation * noise)`, with u and noise standard normal."""

    offset: np.ndarray  # (rank,)
    scale: np.ndarray  # (rank,)
    network: _Network

    @classmethod
    def fit(cls, coefficients: np.ndarray, seed: int = 0) -> "SecondStage":
        """Train on coefficients (count, rank), which are standardised first; the same seed gives the same density."""
        values = np.asarray(coefficients, np.float32)
        offset, scale = values.mean(axis=0), values.std(axis=0)
        standardised = (values - offset) / np.where(scale > 0, scale, 1)
        network = _Network(values.shape[1], rngs=nnx.Rngs(seed))
        graph, variables = nnx.split(network)
        trained = _train(graph, variables, jnp.asarray(standardised), jax.random.key(seed))
        return cls(offset, scale, nnx.merge(graph, trained))

    def sample(self, count: int, seed: int) -> np.ndarray:
        """Draw `count` coefficient vectors, (count, rank), float32."""
        latent, noise = np.random.default_rng(seed).standard_normal((2, count, len(self.offset)), np.float32)
        deviation = np.exp(np.asarray(self.network.log_variance[...]) / 2)
        drawn = np.asarray(self.network.decoder(jnp.asarray(latent))) + deviation * noise
        return (self.offset + self.scale * drawn).astype(np.float32)


@partial(jax.jit, static_argnums=0)
def _train(graph: nnx.GraphDef, variables: nnx.State, x: Array, key: Array) -> nnx.State:
    """All steps as one program."""
    optimiser = optax.adam(optax.cosine_decay_schedule(LEARNING_RATE, STEPS))

    def step(carry: tuple[nnx.State, optax.OptState], key: Array) -> tuple[tuple[nnx.State, optax.OptState], None]:
        variables, moments = carry
        of_rows, of_noise = jax.random.split(key)
        batch = x[jax.random.randint(of_rows, (BATCH,), 0, len(x))]
        gradient = jax.grad(lambda variables: nnx.merge(graph, variables).loss(batch, of_noise))(variables)
        updates, moments = optimiser.update(gradient, moments)
        return (optax.apply_updates(variables, updates), moments), None  # pyright: ignore[reportReturnType]

    (variables, _), _ = jax.lax.scan(step, (variables, optimiser.init(variables)), jax.random.split(key, STEPS))
    return variables
