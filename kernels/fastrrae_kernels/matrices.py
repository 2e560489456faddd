"""Small pieces of linear algebra over leading batch dimensions, and over devices where asked for.

Formulas are written as `u.mT @ da @ v`. TPUs and GPUs would round float32 operands to shorter types by default, and
orthonormality would stop at 1e-3: functions that are traced on their own carry `full_precision`, which reaches all
products inside.
"""

from collections.abc import Callable
from functools import partial, wraps
from typing import ParamSpec, TypeVar

import jax
import jax.numpy as jnp
from jax import Array, lax

P = ParamSpec("P")
T = TypeVar("T")

matmul = partial(jnp.matmul, precision=lax.Precision.HIGHEST)


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


def diagonal(a: Array) -> Array:
    """The entries a_ii, (..., n)."""
    return jnp.diagonal(a, axis1=-2, axis2=-1)


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


def orthonormal_rows(x: Array, lost: Array, axis_name: str | None = None) -> Array:
    """Rows of `x` (..., k, q) made orthonormal, earlier ones first; those marked `lost` (..., k) are replaced.

    Shifted Cholesky QR (Fukaya et al. 2020) needs products and one k x k factor only, so q may be sharded.
    """
    x = jnp.where(lost[..., :, None], scattered_rows(x, axis_name), x)
    identity, eps = jnp.eye(x.shape[-2], dtype=x.dtype), float(jnp.finfo(x.dtype).eps)
    for shift in (100 * eps, 100 * eps, 0.0):  # what a shift saves from breaking down is orthonormal to within it only
        factor = lax.linalg.cholesky(gram_matrix(x, axis_name) + shift * identity, symmetrize_input=False)
        x = lax.linalg.triangular_solve(factor, x, left_side=True, lower=True)
    return x


def divided_by_factor(x: Array, gram: Array) -> Array:
    """A round of Cholesky QR: `x` (..., p, b) times the inverse of the transposed factor of `gram` (..., b, b).

    The inverse of a small factor and a product take a fifth of the time of a triangular solve with all of x.
    """
    return x @ inverse_of_factor(lax.linalg.cholesky(gram, symmetrize_input=False)).mT


def inverse_of_factor(lower: Array) -> Array:
    """The inverse of small lower triangular matrices (..., b, b).

    On a CPU by products: a triangular solve, even a small one, wakes the threads of LAPACK's library, and these keep
    the processor for tens of milliseconds (`lapack_threads.py`).
    """
    return lax.platform_dependent(lower, cpu=_inverse_by_products, default=_inverse_by_solving)


def _inverse_by_solving(lower: Array) -> Array:
    identity = jnp.broadcast_to(jnp.eye(lower.shape[-1], dtype=lower.dtype), lower.shape)
    return lax.linalg.triangular_solve(lower, identity, left_side=True, lower=True)


def _inverse_by_products(lower: Array) -> Array:
    """Blocks on the diagonal are inverted in pairs: `[[a, 0], [b, c]]^-1 = [[a^-1, 0], [-c^-1 b a^-1, c^-1]]`."""
    n = lower.shape[-1]
    padded = 1 << (n - 1).bit_length()
    more = padded - n
    lower = jnp.pad(lower, [*((0, 0) for _ in lower.shape[:-2]), (0, more), (0, more)])
    diagonal_of_padded = jnp.where(jnp.arange(padded) < n, diagonal(lower), 1)
    inverse = (1 / diagonal_of_padded)[..., :, None, None]  # (..., blocks, size, size)
    size = 1
    while size < padded:
        below = jnp.stack([lower[..., i + size : i + 2 * size, i : i + size] for i in range(0, padded, 2 * size)], -3)
        first, second = inverse[..., 0::2, :, :], inverse[..., 1::2, :, :]
        upper = jnp.concatenate([first, jnp.zeros_like(first)], -1)
        inverse = jnp.concatenate([upper, jnp.concatenate([-(second @ (below @ first)), second], -1)], -2)
        size *= 2
    return inverse[..., 0, :n, :n]


def scattered_rows(x: Array, axis_name: str | None = None) -> Array:
    """As many rows as `x` has, of length about one, without any pattern, always the same; other columns on each device.

    Chirps instead of `jax.random`, whose integers change their type where 64-bit types are enabled for a while.
    """
    k, q = x.shape[-2:]
    first, length = (0, q) if axis_name is None else (q * lax.axis_index(axis_name), q * lax.axis_size(axis_name))
    row = lax.broadcasted_iota(x.dtype, (k, q), 0) + 1
    column = lax.broadcasted_iota(x.dtype, (k, q), 1) + 1 + first
    return jnp.cos(column * column * row * 0.6180339887498949) * (2 / length) ** 0.5
