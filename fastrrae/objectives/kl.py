"""The Kullback-Leibler term of variational models."""

import jax.numpy as jnp
from jax import Array


def kl_divergence(mean: Array, logvar: Array) -> Array:
    """KL(N(mean, exp(logvar)) || N(0, 1)) of each sample, (batch,): `-1/2 sum(1 + logvar - mean^2 - exp(logvar))`."""
    return -0.5 * jnp.sum(1 + logvar - mean**2 - jnp.exp(logvar), axis=-1)
