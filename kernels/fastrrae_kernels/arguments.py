"""The arguments that all public functions share: their checks, the computing type, the scale, the orientation."""

import dataclasses
import operator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.core import Tracer
from jax.typing import ArrayLike, DTypeLike

from .decomposition import Method, Options
from .methods import METHODS
from .operands import Dense, Operand, Scale, scale_of
from .operators import LinearOperator, Products


class Problem(NamedTuple):
    """An input made ready: `scale * a`, or its transpose, is to be decomposed, and answered in `dtype`."""

    a: Operand  # (..., p, q): p the side to work on, q the longer or the sharded one
    start: Array | None  # (..., p, j)
    kept: Array | None  # (..., k), 1 for the triplets that count and 0 for the others; None: all count
    scale: Scale  # (..., 1, 1)
    transposed: bool
    dtype: jnp.dtype
    options: Options


def prepare(
    a: ArrayLike | LinearOperator, start: ArrayLike | None, active_rank: ArrayLike | None, options: Options
) -> Problem:
    """Check the arguments, widen short types to float32, find the scale at which squares neither overflow nor vanish.

    The largest magnitude of the scaled matrix is in [1, 2). Numbers below the normal range count as zero, as in XLA.
    """
    axis_name = options.axis_name
    if isinstance(a, LinearOperator) and axis_name is not None:
        raise ValueError(f"`axis_name` is for arrays; with a LinearOperator it must be None; got {axis_name!r}")
    a = a if isinstance(a, LinearOperator) else _checked_matrix(a)
    m, n = a.shape[-2:]
    rank = _checked_rank(options.rank, min(m if axis_name is None else m * lax.axis_size(axis_name), n))
    options = options._replace(rank=rank, method=_checked_method(options.method))
    dtype = jnp.dtype(a.dtype)
    a = a if isinstance(a, LinearOperator) else a.astype(_computing_type(dtype))
    transposed = axis_name is not None or m > n or options.method.works_on_columns
    _check_options(options, n if transposed else m, a.dtype, start is not None)
    options = options if start is None else options._replace(method=options.method.given_start())

    if isinstance(a, LinearOperator):
        one = jnp.ones((1, 1), a.dtype)
        scale, operand = Scale((one, one), (one, one)), Products(a, jnp.ones((1, 1), bool), transposed)
    else:
        largest = _largest_magnitude(a, axis_name)
        scale = scale_of(largest)
        operand = Dense(a, scale, jnp.isfinite(largest), transposed)
    if start is not None:
        guess = lax.stop_gradient(_checked_start(start, a)).mT
        start = guess if transposed else lax.stop_gradient(operand) @ guess
    kept = kept_of(active_rank, rank, a.dtype)
    return Problem(operand, start, kept, scale, transposed, dtype, options)


def kept_of(active_rank: ArrayLike | None, rank: int, dtype: DTypeLike) -> Array | None:
    """1 for the triplets that are kept and 0 for the others, (..., rank); None where no `active_rank` is given."""
    if active_rank is None:
        return None
    count = jnp.asarray(active_rank)
    if not jnp.issubdtype(count.dtype, jnp.integer):
        raise TypeError(f"`active_rank` must be an integer or an array of integers; got {count.dtype}")
    if not isinstance(count, Tracer) and bool(jnp.any((count < 0) | (count > rank))):
        raise ValueError(f"`active_rank` must be at least 0 and at most `rank` = {rank}; got {active_rank}")
    return (jnp.arange(rank, dtype=count.dtype) < count[..., None]).astype(dtype)


def _checked_matrix(a: ArrayLike) -> Array:
    a = jnp.asarray(a)
    if jnp.issubdtype(a.dtype, jnp.complexfloating):
        raise TypeError(f"`a` must be real; got {a.dtype}. Decompose real and imaginary parts as one real matrix")
    if a.ndim < 2:
        raise ValueError(f"`a` must have shape (..., m, n); got {a.shape}")
    return a if jnp.issubdtype(a.dtype, jnp.floating) else a.astype(jnp.result_type(float))


def _checked_rank(rank: int, most: int) -> int:
    if isinstance(rank, bool | jax.Array | np.ndarray) or not hasattr(rank, "__index__"):
        traced = isinstance(rank, Tracer)
        remedy = ". Name it in `static_argnames` of `jax.jit`; a rank may be traced as `active_rank`" if traced else ""
        raise TypeError(f"`rank` must be a Python integer (it sets shapes); got {rank!r}{remedy}")
    if rank < 1:
        raise ValueError(f"`rank` must be at least 1; got {rank}")
    if rank > most:
        raise ValueError(f"`rank` must be at most min(m, n) = {most}; got {rank}")
    return operator.index(rank)


def _checked_method(method: Method) -> Method:
    if not isinstance(method, Method):
        *names, last = (f"{m.__name__}({'...' if dataclasses.fields(m) else ''})" for m in METHODS)
        raise TypeError(f"`method` must be one of {', '.join(names)} and {last}; got {method!r}")
    return method


def _check_options(options: Options, size: int, dtype: DTypeLike, has_start: bool) -> None:
    method = options.method
    if options.backend not in ("auto", "xla", "pallas"):
        raise ValueError(f'`backend` must be "auto", "xla" or "pallas"; got {options.backend!r}')
    if has_start and not method.takes_start:
        raise ValueError(f"`start` is for iterative methods: Randomized(...), Tracked(...) or Auto(); got {method!r}")
    method.check(options, size, dtype)


def _checked_start(start: ArrayLike, a: Array | LinearOperator) -> Array:
    start = jnp.asarray(start)
    if start.ndim < 2 or start.shape[-1] != a.shape[-1] or start.shape[-2] < 1:
        raise ValueError(
            f"`start` must have shape (..., j, n) with n = {a.shape[-1]} as in `a`; got {start.shape}. "
            "It holds rows, like `vt`"
        )
    return jnp.broadcast_to(start.astype(a.dtype), (*a.shape[:-2], *start.shape[-2:]))


def _computing_type(dtype: jnp.dtype) -> jnp.dtype:
    return jnp.dtype(jnp.float32) if dtype.itemsize < 4 else dtype


def _largest_magnitude(a: Array, axis_name: str | None) -> Array:
    """(..., 1, 1), over all devices; infinite where an entry is NaN, which a maximum over devices may not show."""
    largest = jnp.max(jnp.abs(lax.stop_gradient(a)), axis=(-2, -1), keepdims=True, initial=0)
    largest = jnp.where(jnp.isfinite(largest), largest, jnp.inf)
    return largest if axis_name is None else lax.pmax(largest, axis_name)
