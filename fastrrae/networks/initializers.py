"""The authors' initialisation: weights and biases uniform in +-1 / sqrt(fan_in)."""

import math

import jax
from jax import Array
from jax.typing import DTypeLike


def fan_in_uniform(fan_in: int):
    """An initialiser `(key, shape, dtype) -> array`, uniform in +-1 / sqrt(`fan_in`), for weights and biases alike."""
    bound = 1 / math.sqrt(fan_in)

    def initialise(key: Array, shape, dtype: DTypeLike = float, out_sharding=None) -> Array:
        del out_sharding
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return initialise
