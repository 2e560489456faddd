"""What happens to every input before a decomposition sees it: checks, computing type, scale, orientation."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike

from .backends import Backend, check_backend
from .matrices import matmul, transpose
from .methods import Exact, Gram, Method, Randomized, resolve_method


class Plan(NamedTuple):
    """How to decompose; known when a program is compiled."""

    method: Exact | Gram | Randomized
    rank: int
    axis_name: str | None
    backend: Backend


class Problem(NamedTuple):
    """An input made ready: `scale * matrix`, or its transpose, is to be decomposed by `plan`, answered in `dtype`."""

    matrix: Array  # (..., p, q), largest magnitude in [1, 2): p the side to work on, q the longer or the sharded one
    transposed: bool
    scale: Array  # (..., 1, 1), powers of two: scaling is exact
    dtype: jnp.dtype
    plan: Plan
    start: Array | None  # (..., p, j)


def condition(
    a: ArrayLike, rank: int, method: Method, axis_name: str | None, start: ArrayLike | None, backend: Backend
) -> Problem:
    """Check the arguments, widen short types to float32, scale so that squares neither overflow nor vanish."""
    a = jnp.asarray(a)
    if jnp.issubdtype(a.dtype, jnp.complexfloating):
        raise TypeError(f"`a` must be real; got {a.dtype}. Decompose real and imaginary parts as one real matrix")
    if a.ndim < 2:
        raise ValueError(f"`a` must have shape (..., m, n); got {a.shape}")
    m, n = a.shape[-2:]
    _check_rank(rank, min(m if axis_name is None else m * lax.axis_size(axis_name), n))
    if not jnp.issubdtype(a.dtype, jnp.floating):
        a = a.astype(jnp.result_type(float))
    wide = a.astype(jnp.promote_types(a.dtype, jnp.float32))
    largest = jnp.max(jnp.abs(lax.stop_gradient(wide)), axis=(-2, -1), keepdims=True, initial=0)
    largest = largest if axis_name is None else lax.pmax(largest, axis_name)
    scale = _power_of_two(largest)
    # LAPACK answers infinity with NaN in some of its outputs; here it is NaN in all of them.
    matrix = jnp.where(jnp.isfinite(largest), wide / scale, jnp.nan)

    transposed = axis_name is not None or m > n
    size = n if transposed else m
    resolved = resolve_method(method, matrix.dtype, axis_name, start is not None, size)
    check_backend(backend, resolved, matrix.dtype, size)
    if start is not None:
        start = transpose(_checked_start(start, a))
        start = start if transposed else matmul(matrix, start)
        start = lax.stop_gradient(start)
    matrix = transpose(matrix) if transposed else matrix
    return Problem(matrix, transposed, scale, a.dtype, Plan(resolved, rank, axis_name, backend), start)


def _check_rank(rank: int, most: int) -> None:
    if isinstance(rank, bool) or not hasattr(rank, "__index__"):
        raise TypeError(f"`rank` must be a Python integer (it sets shapes); got {rank!r}")
    if rank < 1:
        raise ValueError(f"`rank` must be at least 1; got {rank}")
    if rank > most:
        raise ValueError(f"`rank` must be at most min(m, n) = {most}; got {rank}")


def _checked_start(start: ArrayLike, a: Array) -> Array:
    start = jnp.asarray(start)
    if start.ndim < 2 or start.shape[-1] != a.shape[-1] or start.shape[-2] < 1:
        raise ValueError(
            f"`start` must have shape (..., j, n) with n = {a.shape[-1]} as in `a`; got {start.shape}. "
            "It holds rows, like `vt`"
        )
    start = start.astype(jnp.promote_types(a.dtype, jnp.float32))
    return jnp.broadcast_to(start, (*a.shape[:-2], *start.shape[-2:]))


def _power_of_two(largest: Array) -> Array:
    """The power of two just below `largest`; 1 where that is zero, infinite or NaN."""
    power = jnp.ldexp(jnp.ones_like(largest), jnp.frexp(largest)[1] - 1)
    return jnp.where((largest > 0) & jnp.isfinite(largest), power, 1)
