"""Latent vectors kept small."""

import jax.numpy as jnp
from jax import Array


def embedding_size(coefficients: Array) -> Array:
    """`mean(z^2)` over samples and coordinates: the embedding penalty of the RAE (Ghosh et al. 2020).

    Up to a constant factor it is also the KL term of the CV-VAE, whose variance does not change.
    """
    return jnp.mean(coefficients**2)
