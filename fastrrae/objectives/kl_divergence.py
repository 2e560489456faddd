"""The Kullback-Leibler (KL) term of variational models."""

from collections.abc import Callable
from typing import Any, Literal

import jax.numpy as jnp
from jax import Array

Reduction = Literal["sum", "mean"]


def kl_divergence(mean: Array, logvar: Array) -> Array:
    """KL(N(mean, exp(logvar)) || N(0, 1)) of each sample, (batch,): `-1/2 sum(1 + logvar - mean^2 - exp(logvar))`."""
    return -0.5 * jnp.sum(1 + logvar - mean**2 - jnp.exp(logvar), axis=-1)


def reducer(reduction: Reduction) -> Callable[[Array], Array]:
    """The function that makes one number of the KL terms (batch,) of the samples."""
    return {"sum": jnp.sum, "mean": jnp.mean}[reduction]


def kl_penalty(reduction: Reduction) -> Callable[[Any, Array, Any], Array]:
    """The penalty `(model, x, output) -> scalar`: the KL term of a batch, summed or averaged over its samples."""
    reduce = reducer(reduction)

    def penalty(model: Any, x: Array, output: Any) -> Array:
        if output.latent.logvar is None:
            raise ValueError("the KL term needs a bottleneck whose `Latent` has a `logvar`; this one has none")
        return reduce(kl_divergence(output.latent.mean, output.latent.logvar))

    return penalty
