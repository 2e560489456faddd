"""What happens to every input before a decomposition sees it: checks, computing type, scale."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike


class Conditioned(NamedTuple):
    """An input made ready: `a = scale * matrix`, to be decomposed in `matrix.dtype`, answered in `dtype`."""

    matrix: Array  # (..., m, n), largest magnitude in [1, 2)
    scale: Array  # (..., 1, 1), powers of two: scaling is exact
    dtype: jnp.dtype


def condition(a: ArrayLike, rank: int) -> Conditioned:
    """Check `a` and `rank`, widen short types to float32, and scale so that squares neither overflow nor vanish."""
    a = jnp.asarray(a)
    if jnp.issubdtype(a.dtype, jnp.complexfloating):
        raise TypeError(f"`a` must be real; got {a.dtype}. Decompose real and imaginary parts as one real matrix")
    if a.ndim < 2:
        raise ValueError(f"`a` must have shape (..., m, n); got {a.shape}")
    _check_rank(rank, min(a.shape[-2:]))
    if not jnp.issubdtype(a.dtype, jnp.floating):
        a = a.astype(jnp.result_type(float))
    wide = a.astype(jnp.promote_types(a.dtype, jnp.float32))
    largest = jnp.max(jnp.abs(lax.stop_gradient(wide)), axis=(-2, -1), keepdims=True, initial=0)
    scale = _power_of_two(largest)
    # LAPACK answers infinity with NaN in some of its outputs; here it is NaN in all of them.
    return Conditioned(jnp.where(jnp.isfinite(largest), wide / scale, jnp.nan), scale, a.dtype)


def _check_rank(rank: int, most: int) -> None:
    if isinstance(rank, bool) or not hasattr(rank, "__index__"):
        raise TypeError(f"`rank` must be a Python integer (it sets shapes); got {rank!r}")
    if rank < 1:
        raise ValueError(f"`rank` must be at least 1; got {rank}")
    if rank > most:
        raise ValueError(f"`rank` must be at most min(m, n) = {most}; got {rank}")


def _power_of_two(largest: Array) -> Array:
    """The power of two just below `largest`; 1 where that is zero, infinite or NaN."""
    power = jnp.ldexp(jnp.ones_like(largest), jnp.frexp(largest)[1] - 1)
    return jnp.where((largest > 0) & jnp.isfinite(largest), power, 1)
