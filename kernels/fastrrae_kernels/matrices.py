"""Small pieces of linear algebra over leading batch dimensions, and over devices where asked for.

Formulas are written as `u.mT @ da @ v`. TPUs and GPUs would round float32 operands to shorter types by default, and
orthonormality would stop at 1e-3: functions that are traced on their own carry `full_precision`, which reaches all
products inside.
"""

import os
from collections.abc import Callable
from functools import partial, wraps
from typing import ParamSpec, TypeVar

import jax
import jax.numpy as jnp
from jax import Array, export, lax

P = ParamSpec("P")
T = TypeVar("T")

matmul = partial(jnp.matmul, precision=lax.Precision.HIGHEST)

# Where sums over rows are made in parts on a CPU: measured on two cores, up to 576 x 128 results.
TALL, MANY_ENTRIES, MOST_PARTS = 32, 4_000_000, 8


def full_precision(function: Callable[P, T]) -> Callable[P, T]:
    """Make float32 products within a function exact to float32, wherever it is traced from."""

    @wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        with jax.default_matmul_precision("highest"):
            return function(*args, **kwargs)

    return wrapped


def transpose(a: Array) -> Array:
    """Swap the last two axes."""
    return jnp.swapaxes(a, -1, -2)


def product_over_rows(x: Array, a: Array) -> Array:
    """`x^T a` of `x` (..., rows, k) and `a` (..., rows, n); for many rows on a CPU, each core sums over a part of them.

    XLA's CPU backend shares out the entries of a product, of which there are few here: with 100000 x 512 and 24 columns
    it took 43 ms on two cores, and in two parts 23. It is also faster with the narrow factor first (28224 rows of 576
    and 128: 25 ms and 19), and would move the transposition of such a result back into the product.
    """
    parts = _parts(x.shape, a.shape)
    if parts == 1:
        return x.mT @ a

    def in_parts(x: Array, a: Array) -> Array:
        if x.shape[-1] > a.shape[-1]:
            return lax.optimization_barrier(in_parts(a, x)).mT
        apart_x, apart_a = (y.reshape(parts, -1, y.shape[-1]) for y in (x, a))
        return jnp.sum(apart_x.mT @ apart_a, axis=0)

    return lax.platform_dependent(x, a, cpu=in_parts, default=lambda x, a: x.mT @ a)


def _parts(first: tuple[int, ...], second: tuple[int, ...]) -> int:
    """As many as there are cores, or fewer, since they have to be equal."""
    (*stack, rows, k), n = first, second[-1]
    if stack or export.is_symbolic_dim(rows) or rows < TALL * max(k, n) or rows * (k + n) < MANY_ENTRIES:
        return 1
    cores = min(os.cpu_count() or 1, MOST_PARTS)
    return next(parts for parts in range(cores, 0, -1) if rows % parts == 0)


def diagonal(a: Array) -> Array:
    """The entries a_ii, (..., n)."""
    return jnp.diagonal(a, axis1=-2, axis2=-1)


def identity_like(a: Array) -> Array:
    """Identity matrices (..., n, n) like `a`, also in the mesh axes of `shard_map` along which they may differ."""
    return jnp.where(jnp.eye(a.shape[-1], dtype=bool), jnp.ones_like(a), 0)


def sum_over(axis_name: str | None, x: Array) -> Array:
    """The sum of `x` over the devices of a mesh axis; `x` itself where there is none."""
    return x if axis_name is None else lax.psum(x, axis_name)


def on_each_device(axis_name: str | None, x: Array) -> Array:
    """`x`, the same on all devices of a mesh axis, as a value that may meet others that differ between them.

    `shard_map` does so by itself, but not inside `custom_linear_solve`.
    """
    return x if axis_name is None else lax.pcast(x, axis_name, to="varying")


def gram_matrix(a: Array, axis_name: str | None = None) -> Array:
    """`a a^T` (..., p, p) of `a` (..., p, q), whose columns may be sharded."""
    return sum_over(axis_name, a @ a.mT)


def project_out(q: Array, x: Array) -> Array:
    """Rows of `x` without their parts in the span of the orthonormal columns of `q`: `x (I - q q^T)`."""
    return x - x @ q @ q.mT
