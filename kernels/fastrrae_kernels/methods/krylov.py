"""Block Krylov iteration: the leading singular subspace of a matrix from products with blocks of columns.

Musco and Musco (2015), Tropp and Webber (2023), with the thick restart of Wu and Simon (2000). The basis holds blocks
of columns on the side p; all products with `a` are kept, so that its singular triplets need no further pass over `a`.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from ..matrices import divided_by_factor, scattered_rows, sum_over
from ..operands import Operand
from .native_batching import natively_batched

# Below this tolerance, what a Gram matrix in float32 has lost would show in the stopping test.
COARSE = 1e-3

BLOCKS_KEPT, MOST_BLOCKS = 2, 3  # after a restart, and before; then one more is made, orthogonal to all of these


class Basis(NamedTuple):
    """Orthonormal columns, and their products."""

    x: Array  # (..., p, l)
    xt_a: Array  # (..., l, q)
    error: Array  # (...), an estimate of the largest residual of a leading triplet, relative to s_1


class Search(NamedTuple):
    """What to look for; known when a program is compiled."""

    rank: int
    block: int
    iterations: int
    tolerance: float
    axis_name: str | None


class _Progress(NamedTuple):
    basis: Basis
    rotation: Array  # (..., l, 2 b), the Ritz vectors that a restart keeps
    iteration: Array


def krylov_basis(search: Search, a: Operand, first: Array) -> Basis:
    """Columns (..., p, 2 b) that hold the leading left singular vectors as accurately as the search asks for.

    Args:
        search: with block b, `4 b <= p`.
        a: (..., p, q).
        first: (..., p, b), a guess or random columns, orthonormal.
    """
    two = _extended(search, a, Basis(first, first.mT @ a, jnp.zeros_like(first[..., 0, 0])))
    two, _ = _judged(search, two)
    if search.iterations == 1:
        return two
    return lax.cond(_unfinished(search, two), partial(_continued, search), lambda _, basis: basis, a, two)


def _continued(search: Search, a: Operand, two: Basis) -> Basis:
    def iterate(progress: _Progress) -> _Progress:
        # The new block is orthogonal to all Ritz vectors, also to those that the restart drops.
        x = _next_block(search, a, progress.basis)
        return judged(_with_block(a, _restarted(progress), x), progress.iteration + 1)

    def judged(basis: Basis, iteration: Array) -> _Progress:
        return _Progress(*_judged(search, basis), iteration)

    def unfinished(progress: _Progress) -> Array:
        return (progress.iteration < search.iterations) & _unfinished(search, progress.basis)

    three = judged(_extended(search, a, two), jnp.full((), 2, jnp.int32))
    return _restarted(lax.while_loop(unfinished, iterate, three))


def _unfinished(search: Search, basis: Basis) -> Array:
    return jnp.any(basis.error > search.tolerance)


def _restarted(progress: _Progress) -> Basis:
    basis, rotation = progress.basis, progress.rotation
    return Basis(basis.x @ rotation, rotation.mT @ basis.xt_a, basis.error)


def _extended(search: Search, a: Operand, basis: Basis) -> Basis:
    return _with_block(a, basis, _next_block(search, a, basis))


def _with_block(a: Operand, basis: Basis, x: Array) -> Basis:
    joined = jnp.concatenate([basis.x, x], -1), jnp.concatenate([basis.xt_a, x.mT @ a], -2)
    return Basis(*joined, basis.error)


def _next_block(search: Search, a: Operand, basis: Basis) -> Array:
    """Orthonormal columns (..., p, b) that `a a^T` leads to from the last block, orthogonal to the basis."""
    return orthonormal_columns(sum_over(search.axis_name, a @ basis.xt_a[..., -search.block :, :].mT), basis.x)


def orthonormal_columns(z: Array, x: Array | None = None) -> Array:
    """An orthonormal basis of the columns of `z` (..., p, b), outside of the span of the orthonormal columns `x`.

    One projection leaves errors as large as what it has taken away, which for a matrix of low rank and noise is nearly
    all; so the two are repeated. Shifted Cholesky QR (Fukaya et al. 2020) needs products and one b x b factor only;
    a round brings the condition from 1 / eps to its square root. Columns that depend on others become random ones, by
    noise of the size of rounding.
    """
    eps, b = float(jnp.finfo(z.dtype).eps), z.shape[-1]
    one = jnp.eye(b, dtype=z.dtype)
    largest = jnp.max(jnp.abs(z), axis=(-2, -1), keepdims=True)
    z = z / jnp.where(largest > 0, largest, 1) + eps * scattered_rows(z.mT).mT * z.shape[-2] ** 0.5
    for shift in (100 * eps, 100 * eps, 100 * eps, eps / b):  # the last one leaves lengths exact to rounding
        z = z if x is None else z - x @ (x.mT @ z)
        gram = z.mT @ z
        size = jnp.trace(gram, axis1=-2, axis2=-1)[..., None, None]
        z = divided_by_factor(z, gram + shift * size * one)
    return z


def _judged(search: Search, basis: Basis) -> tuple[Basis, Array]:
    """The basis with its error, and its leading Ritz vectors (..., l, 2 b)."""
    judge = partial(_ritz, search)
    error, rotation = natively_batched(judge)(basis.xt_a)
    return basis._replace(error=error), rotation


def _ritz(search: Search, xt_a: Array) -> tuple[Array, Array]:
    """The error of the leading Ritz triplets, and the Ritz vectors that a restart keeps.

    With `a^T u = s v`, a Ritz triplet leaves `a v - s u = (I - x x^T) a a^T x_last w / s`, where w are the entries of
    its Ritz vector for the last block. How `a a^T` maps the last block out of the basis only the next product would
    tell; how it maps that block to itself and to the one before is known, and is no smaller as a rule.
    """
    eps = float(jnp.finfo(xt_a.dtype).eps)
    if xt_a.dtype == jnp.float64 or search.tolerance >= COARSE:
        return _ritz_in_own_precision(search, eps, xt_a)

    def in_float64(xt_a: Array) -> tuple[Array, Array]:
        with jax.enable_x64(True):
            found = _ritz_in_own_precision(search, eps, lax.convert_element_type(xt_a, jnp.float64))
            return jax.tree.map(lambda x: lax.convert_element_type(x, jnp.float32), found)

    # TPUs have no float64.
    return lax.platform_dependent(xt_a, tpu=partial(_ritz_in_own_precision, search, eps), default=in_float64)


def _ritz_in_own_precision(search: Search, eps: float, xt_a: Array) -> tuple[Array, Array]:
    gram = sum_over(search.axis_name, xt_a @ xt_a.mT)
    w, vectors = jnp.linalg.eigh(gram, symmetrize_input=False)
    w, vectors = jnp.flip(jnp.maximum(w, 0), -1), jnp.flip(vectors, -1)
    block, rank = search.block, search.rank
    moved = gram[..., -2 * block :, -block:] @ vectors[..., -block:, :rank]
    largest = w[..., :1]
    rounding = max(32 * float(jnp.finfo(gram.dtype).eps) / search.tolerance, 16 * eps)
    size = jnp.maximum(jnp.sqrt(w[..., :rank] * largest), rounding * largest)
    error = jnp.max(jnp.linalg.norm(moved, axis=-2) / jnp.where(size > 0, size, 1), axis=-1)
    return error, vectors[..., : BLOCKS_KEPT * block]
