"""How far a batch is from its reconstruction."""

import jax.numpy as jnp
from jax import Array


def relative_error(x: Array, reconstruction: Array) -> Array:
    """`100 ||x' - x||_F / ||x||_F` over all samples together, in per cent."""
    squares = jnp.sum((reconstruction - x) ** 2)
    # The root has no derivative at zero; a perfect batch has nothing to learn from.
    distance = jnp.where(squares > 0, jnp.sqrt(jnp.where(squares > 0, squares, 1)), 0)
    return 100 * distance / jnp.sqrt(jnp.sum(x**2))


def mean_squared_error(x: Array, reconstruction: Array) -> Array:
    """`mean((x' - x)^2)` over samples and values."""
    return jnp.mean((reconstruction - x) ** 2)
