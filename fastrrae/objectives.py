"""What training minimises: a reconstruction term, and penalties on what the bottleneck made of the batch."""

from collections.abc import Callable

import jax.numpy as jnp
from jax import Array

from .config import ObjectiveConfig
from .models import Output


def relative_error(x: Array, reconstruction: Array) -> Array:
    """`100 ||x' - x||_F / ||x||_F` over all samples together, in per cent."""
    squares = jnp.sum((reconstruction - x) ** 2)
    # The root has no derivative at zero; a perfect batch has nothing to learn from.
    distance = jnp.where(squares > 0, jnp.sqrt(jnp.where(squares > 0, squares, 1)), 0)
    return 100 * distance / jnp.sqrt(jnp.sum(x**2))


def mean_squared_error(x: Array, reconstruction: Array) -> Array:
    """`mean((x' - x)^2)` over samples and values."""
    return jnp.mean((reconstruction - x) ** 2)


def kl_divergence(mean: Array, logvar: Array) -> Array:
    """KL(N(mean, exp(logvar)) || N(0, 1)) of each sample, (batch,): `-1/2 sum(1 + logvar - mean^2 - exp(logvar))`."""
    return -0.5 * jnp.sum(1 + logvar - mean**2 - jnp.exp(logvar), axis=-1)


_RECONSTRUCTIONS = {"relative": relative_error, "mse": mean_squared_error}
_REDUCTIONS = {"sum": jnp.sum, "mean": jnp.mean}

Objective = Callable[[Array, Output], tuple[Array, dict[str, Array]]]


def make_objective(config: ObjectiveConfig) -> Objective:
    """The function `(x, output) -> (loss, {"reconstruction": ..., "kl": ...})` that `config` describes.

    `loss = reconstruction + beta * kl`; `kl` is zero for a model that is not variational.
    """
    beta = 0.0 if config.beta is None else config.beta

    def objective(x: Array, output: Output) -> tuple[Array, dict[str, Array]]:
        reconstruction = _RECONSTRUCTIONS[config.reconstruction](x, output.reconstruction)
        if output.latent.logvar is None:
            kl = jnp.zeros(())
        else:
            kl = _REDUCTIONS[config.kl_reduction](kl_divergence(output.latent.mean, output.latent.logvar))
        return reconstruction + beta * kl, {"reconstruction": reconstruction, "kl": kl}

    return objective
