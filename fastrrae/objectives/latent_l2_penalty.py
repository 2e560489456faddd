"""A penalty on the size of latent vectors."""

from typing import Any

import jax.numpy as jnp
from jax import Array


def latent_l2(coefficients: Array) -> Array:
    """`mean(z^2)` over samples and coordinates: the embedding penalty of the RAE (Ghosh et al. 2020).

    Up to a constant factor it is also the KL term of the CV-VAE, whose variance is constant.
    """
    return jnp.mean(coefficients**2)


def latent_l2_penalty(model: Any, x: Array, output: Any) -> Array:
    """The penalty `(model, x, output) -> scalar`: `latent_l2` of the batch's coefficients."""
    return latent_l2(output.latent.mean)
