"""`Randomized`: block subspace iteration from a random or a given start, until the residual is small.

Halko, Martinsson and Tropp (2011), algorithm 4.4, with the stopping rule of a Rayleigh-Ritz step in every iteration.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from .backends import Backend
from .decomposition import Decomposition
from .gram import gram
from .matrices import matmul, sum_over, transpose
from .methods import Randomized


def randomized(
    method: Randomized, rank: int, axis_name: str | None, backend: Backend, a: Array, start: Array | None
) -> Decomposition:
    """Decompose `a` (..., p, q), where q may be sharded; the columns of `start` (..., p, j) span the first guess."""
    block = rank + _oversampling(method, rank, a.shape[-2])
    if block >= a.shape[-2]:  # every direction would be in the block: nothing to search for
        return gram(rank, axis_name, backend, a)
    basis = _iterate(method, rank, axis_name, a, _first_basis(method.seed, block, a, start))
    within = gram(rank, axis_name, backend, matmul(transpose(basis), a))
    return within._replace(u=matmul(basis, within.u), rest_u=matmul(basis, within.rest_u))


def _oversampling(method: Randomized, rank: int, p: int) -> int:
    """As many directions as the rank, which converges fast, unless the block then exceeds half of the matrix."""
    if method.oversample is not None:
        return method.oversample
    return rank if 4 * rank <= p else 16


class _Progress(NamedTuple):
    basis: Array  # (..., p, l), orthonormal columns
    error: Array  # (...,), the largest residual of a leading triplet before the last product, relative to s_1
    iteration: Array


def _first_basis(seed: int, block: int, a: Array, start: Array | None) -> Array:
    given = 0 if start is None else start.shape[-1]
    more = max(0, block - given)
    columns = jax.random.normal(jax.random.key(seed), (a.shape[-2], more), a.dtype)
    columns = jnp.broadcast_to(columns, (*a.shape[:-1], more))
    if start is not None:
        length = jnp.max(jnp.abs(start), axis=(-2, -1), keepdims=True)
        start = start / jnp.where(length > 0, length, 1)
        columns = jnp.concatenate([start[..., :block], columns], -1)
    return jnp.linalg.qr(columns)[0]


def _iterate(method: Randomized, rank: int, axis_name: str | None, a: Array, basis: Array) -> Array:
    def iterate(progress: _Progress) -> _Progress:
        x = progress.basis
        moved = sum_over(axis_name, matmul(a, matmul(transpose(a), x)))
        largest, error = _largest_and_residual(method.tolerance, rank, x, moved)
        # Dividing makes qr depend on eigh: on CPU, XLA may run two batched LAPACK calls that are independent of each
        # other side by side, and these can wait for each other's threads forever.
        basis = jnp.linalg.qr(moved / jnp.where(largest > 0, largest, 1))[0]
        return _Progress(basis, error, progress.iteration + 1)

    def unfinished(progress: _Progress) -> Array:
        return (progress.iteration < method.iterations) & jnp.any(progress.error > method.tolerance)

    first = _Progress(basis, jnp.full(a.shape[:-2], jnp.inf, a.dtype), jnp.zeros((), jnp.int32))
    return lax.while_loop(unfinished, iterate, first).basis


def _largest_and_residual(tolerance: float, rank: int, x: Array, moved: Array) -> tuple[Array, Array]:
    """`s_1^2`, and the largest `|a v_i - s_i u_i| / s_1` of the leading Ritz triplets in span(x) above rounding.

    `moved` is `a a^T x`. Its Ritz pairs leave `a a^T u - s^2 u = s (a v - s u)`, with rounding of some eps s_1^2.
    """
    w, turn = jnp.linalg.eigh(matmul(transpose(x), moved))
    w, turn = jnp.maximum(w[..., -rank:], 0), turn[..., -rank:]
    outside = matmul(moved, turn) - matmul(x, turn) * w[..., None, :]
    largest = w[..., -1:]
    scale = jnp.maximum(jnp.sqrt(w * largest), 32 * jnp.finfo(x.dtype).eps / tolerance * largest)
    error = jnp.max(jnp.linalg.norm(outside, axis=-2) / jnp.where(scale == 0, 1, scale), axis=-1)
    return largest[..., None], error
