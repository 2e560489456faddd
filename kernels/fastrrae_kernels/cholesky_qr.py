"""Orthonormal rows and columns by rounds of Cholesky QR: products and one small factor, so rows may be sharded."""

import jax.numpy as jnp
from jax import Array, lax

from .matrices import diagonal, gram_matrix, identity_like
from .random_rows import random_rows

# Shifted Cholesky QR. A round brings the condition from 1 / eps to its square root, and four are always enough; from a
# defect |x^T x - 1| that is small, it leaves columns orthonormal to rounding.
SHIFT, SMALL_DEFECT, MOST_ROUNDS = 100, 0.1, 4


def orthonormal_columns(z: Array, x: Array | None = None) -> Array:
    """An orthonormal basis of the columns of `z` (..., p, b), outside of the span of the orthonormal columns `x`.

    One projection leaves errors as large as what it has taken away, which for a matrix of low rank and noise is nearly
    all; so it is repeated with each round of shifted Cholesky QR (Fukaya et al. 2020), which needs products and one
    b x b factor only. Columns that depend on others become random ones, by noise of the size of rounding.
    """
    eps, b = float(jnp.finfo(z.dtype).eps), z.shape[-1]
    one = jnp.eye(b, dtype=z.dtype)
    largest = jnp.max(jnp.abs(z), axis=(-2, -1), keepdims=True)
    z = z / jnp.where(largest > 0, largest, 1) + eps * z.shape[-2] ** 0.5 * random_rows(z.mT.shape, z.dtype).mT

    def improved(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        z, _, rounds = state
        z = z if x is None else z - x @ (x.mT @ z)
        gram = z.mT @ z
        size = jnp.trace(gram, axis1=-2, axis2=-1)[..., None, None]
        defect = jnp.max(jnp.abs(gram - one))
        last = (defect < SMALL_DEFECT) | (rounds == MOST_ROUNDS - 1)
        shift = jnp.where(last, eps / b, SHIFT * eps)  # without one, lengths are exact to rounding
        return divided_by_factor(z, gram + shift * size * one), last, rounds + 1

    def unfinished(state: tuple[Array, Array, Array]) -> Array:
        return ~state[1]

    done = jnp.zeros_like(z, bool, shape=())  # inside `shard_map`, as different among devices as `z`
    return lax.while_loop(unfinished, improved, (z, done, jnp.zeros((), jnp.int32)))[0]


def orthonormal_rows(x: Array, lost: Array, axis_name: str | None = None) -> Array:
    """Rows of `x` (..., k, q) made orthonormal, earlier ones first; those marked `lost` (..., k) are replaced.

    Shifted Cholesky QR (Fukaya et al. 2020) needs products and one k x k factor only, so q may be sharded.
    """
    x = jnp.where(lost[..., :, None], random_rows(x.shape, x.dtype, axis_name=axis_name), x)
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
    return lax.linalg.triangular_solve(lower, identity_like(lower), left_side=True, lower=True)


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
