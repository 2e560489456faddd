"""A matrix kept at low rank."""

import jax.numpy as jnp
from jax import Array

from fastrrae_kernels import truncated_svd


def nuclear_norm(weight: Array) -> Array:
    """The sum of singular values of `weight` (n, n): the LoRAE's penalty. Its gradient is finite at any rank."""
    return jnp.sum(truncated_svd(weight, weight.shape[0]).s)
