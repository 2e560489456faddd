"""Rows made orthonormal one after the other: nothing but products, which every compiler knows how to batch."""

import jax.numpy as jnp
from jax import Array, lax

from ..random_rows import random_rows


def gram_schmidt(x: Array, lost: Array) -> Array:
    """Rows of `x` (..., k, q) made orthonormal, earlier ones first; those marked `lost` (..., k) are replaced.

    Each is projected out of all before it, twice, which is enough (Giraud, Langou and Rozloznik 2005).
    """
    x = jnp.where(lost[..., :, None], random_rows(x.shape, x.dtype), x)
    number = jnp.arange(x.shape[-2])

    def orthonormalise(i: Array, x: Array) -> Array:
        row = lax.dynamic_index_in_dim(x, i, axis=-2)
        for _ in range(2):
            along = jnp.where(number < i, jnp.sum(x * row, axis=-1), 0)
            row = row - jnp.sum(along[..., None] * x, axis=-2, keepdims=True)
            row = row * lax.rsqrt(jnp.sum(row * row, axis=-1, keepdims=True))
        return lax.dynamic_update_index_in_dim(x, row, i, axis=-2)

    return lax.fori_loop(0, x.shape[-2], orthonormalise, x)
