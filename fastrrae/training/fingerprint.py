"""A checksum of arrays that does not depend on how they lie on devices, nor on the order of the sum."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

_ODD = 2654435761  # Knuth's multiplicative constant: neighbouring positions get unrelated weights


def fingerprints(arrays: dict[str, Any]) -> dict[str, int]:
    """For each array, the sum of its bits, weighted by odd numbers that depend on the position, modulo 2^32.

    Integer sums are exact in any order, so every device sums its own part. Any single changed value is seen, since odd
    weights can be inverted modulo 2^32; so are values that changed places.
    """
    return {name: int(value) for name, value in _fingerprints(arrays).items()}


@jax.jit
def _fingerprints(arrays: dict[str, Any]) -> dict[str, Array]:
    return {name: _fingerprint(jnp.asarray(array)) for name, array in arrays.items()}


def _fingerprint(array: Array) -> Array:
    bits = _bits(array)
    position = jnp.zeros(bits.shape, jnp.uint32)
    for axis, size in enumerate(bits.shape):
        position = position * jnp.uint32(size) + jax.lax.broadcasted_iota(jnp.uint32, bits.shape, axis)
    weights = (position * jnp.uint32(_ODD)) << 1 | jnp.uint32(1)
    return jnp.sum(bits * weights, dtype=jnp.uint32)


def _bits(array: Array) -> Array:
    if array.dtype == jnp.bool_:
        return array.astype(jnp.uint32)
    width = array.dtype.itemsize
    unsigned = {1: jnp.uint8, 2: jnp.uint16}.get(width, jnp.uint32)  # 64-bit values become pairs
    return jax.lax.bitcast_convert_type(array, unsigned).astype(jnp.uint32)
