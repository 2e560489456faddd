"""Block Krylov iteration: the leading singular subspace of a matrix from products with blocks of columns.

Musco and Musco (2015), Tropp and Webber (2023), with the thick restart of Wu and Simon (2000). The basis holds blocks
of columns on the side p; all products with `a` are kept, so that its singular triplets need no further pass over `a`,
and the stopping test knows their residuals.
"""

from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from ..cholesky_qr import orthonormal_columns
from ..matrices import identity_like, sum_over
from ..operands import Operand
from .native_batching import natively_batched

# Below this tolerance, what a Gram matrix in float32 has lost would show in the stopping test.
COARSE = 1e-3

BLOCKS_KEPT, MOST_BLOCKS = 2, 3  # after a restart, and before; then one more is made, orthogonal to all of these


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Basis:
    """Orthonormal columns, and their products.

    XLA folds a transposition into a product, but not into a concatenation or a loop, where it makes a strided copy. So
    `x^T a` is held in the layout in which products return it.
    """

    x: Array  # (..., p, l)
    held: Array  # x^T a (..., l, q), or its transpose where it is held by columns
    image: Array  # (..., p, l), a a^T x
    by_columns: bool = field(metadata={"static": True})  # see `Operand`

    @property
    def xt_a(self) -> Array:
        """(..., l, q)."""
        return _turned(self.held, self.by_columns)

    def combined(self, weights: Array) -> Array:
        """`weights^T x^T a` (..., j, q), of weights (..., l, j)."""
        return (self.held @ weights).mT if self.by_columns else weights.mT @ self.held

    def restarted(self, vectors: Array) -> "Basis":
        """The basis of the columns `x vectors`, for orthonormal vectors (..., l, j)."""
        held = _turned(self.combined(vectors), self.by_columns)
        return replace(self, x=self.x @ vectors, held=held, image=self.image @ vectors)

    def joined(self, more: "Basis") -> "Basis":
        """With the columns of another basis of the same matrix, orthogonal to these."""
        x, image = (jnp.concatenate(pair, -1) for pair in ((self.x, more.x), (self.image, more.image)))
        held = jnp.concatenate([self.held, more.held], -1 if self.by_columns else -2)
        return replace(self, x=x, held=held, image=image)


def _turned(product: Array, by_columns: bool) -> Array:
    """From `x^T a` to how it is held, and back."""
    return product.mT if by_columns else product


class RitzVectors(NamedTuple):
    """The leading eigenvectors of `x^T a a^T x`."""

    basis: Basis
    vectors: Array  # (..., l, 2 b), in the order of descending values
    values: Array  # (..., 2 b), squares of the singular values of `x^T a`
    beyond: Array  # (..., p, b), what `a a^T` maps the last block to, outside of the basis
    error: Array  # (...), the largest residual of a leading triplet, relative to s_1


class Search(NamedTuple):
    """What to look for; known when a program is compiled."""

    rank: int
    block: int
    iterations: int
    tolerance: float
    axis_name: str | None
    patience: int | None = None  # from so many iterations on, it ends where the rest would not suffice at the last rate


class _State(NamedTuple):
    ritz: RitzVectors
    error_before: Array
    iteration: Array


def krylov_basis(search: Search, a: Operand, first: Array) -> RitzVectors:
    """Columns (..., p, 2 b) that hold the leading left singular vectors as accurately as the search asks for.

    Args:
        search: with block b, `4 b <= p`.
        a: (..., p, q).
        first: (..., p, b), a guess or random columns, orthonormal.
    """
    two = _judged(search, two_blocks(search, a, first))
    return lax.cond(_unfinished(search, two), partial(_continued, search), lambda _, two: two, a, two)


def two_blocks(search: Search, a: Operand, first: Array) -> Basis:
    """The first block, and the one that `a a^T` maps it to, orthonormal."""
    one = _products(search, a, first)
    return one.joined(_products(search, a, orthonormal_columns(one.image, one.x)))


def _continued(search: Search, a: Operand, two: RitzVectors) -> RitzVectors:
    def longer(basis: Basis, ritz: RitzVectors) -> RitzVectors:
        # The new block is orthogonal to all Ritz vectors, also to those that the restart drops.
        x = orthonormal_columns(ritz.beyond, ritz.basis.x)
        return _judged(search, basis.joined(_products(search, a, x)))

    def iterate(state: _State) -> _State:
        ritz = state.ritz
        return _State(longer(ritz.basis.restarted(ritz.vectors), ritz), ritz.error, state.iteration + 1)

    def unfinished(state: _State) -> Array:
        onward = (state.iteration < search.iterations) & _unfinished(search, state.ritz)
        return onward if search.patience is None else onward & ~_hopeless(search, state)

    three = _State(longer(two.basis, two), two.error, jnp.full((), 2, jnp.int32))
    last = lax.while_loop(unfinished, iterate, three).ritz
    basis = last.basis.restarted(last.vectors)
    return last._replace(basis=basis, vectors=identity_like(two.vectors))


def _hopeless(search: Search, state: _State) -> Array:
    """Whether the error would not get there in time at its last rate; as a rule, it falls faster and faster."""
    assert search.patience is not None
    error, before = jnp.max(state.ritz.error), jnp.max(state.error_before)
    expected = error * (error / before) ** (search.iterations - state.iteration).astype(error.dtype)
    return (state.iteration >= search.patience) & (expected > search.tolerance)


def _unfinished(search: Search, ritz: RitzVectors) -> Array:
    return jnp.any(ritz.error > search.tolerance)


def _products(search: Search, a: Operand, x: Array) -> Basis:
    xt_a = x.mT @ a
    image = sum_over(search.axis_name, a @ xt_a.mT)
    return Basis(x, _turned(xt_a, a.by_columns), image, a.by_columns)


def _judged(search: Search, basis: Basis) -> RitzVectors:
    """The Ritz vectors of a basis, and how far the leading ones are from singular vectors.

    With `a^T u = s v`, a Ritz triplet leaves `a v - s u = (1 - x x^T) a a^T x w / s`, where w is its Ritz vector. Of
    all blocks, only the last one has an image outside of the basis.
    """
    last = basis.image[..., -search.block :]
    beyond = last - basis.x @ (basis.x.mT @ last)
    values, vectors, error = natively_batched(partial(_ritz, search))(basis, beyond)
    return RitzVectors(basis, vectors, values, beyond, error)


def _ritz(search: Search, basis: Basis, beyond: Array) -> tuple[Array, Array, Array]:
    """Values, vectors and error of `RitzVectors`, in float64 where float32 would not show what the search asks for."""
    eps = float(jnp.finfo(basis.x.dtype).eps)

    def in_own_precision(basis: Basis, beyond: Array) -> tuple[Array, Array, Array]:
        return _ritz_of_gram(search, eps, basis.x.mT @ basis.image, beyond)

    if basis.x.dtype == jnp.float64 or search.tolerance >= COARSE:
        return in_own_precision(basis, beyond)

    def in_float64(basis: Basis, beyond: Array) -> tuple[Array, Array, Array]:
        with jax.enable_x64(True):
            xt_a, wide = (lax.convert_element_type(x, jnp.float64) for x in (basis.xt_a, beyond))
            found = _ritz_of_gram(search, eps, sum_over(search.axis_name, xt_a @ xt_a.mT), wide)
            return jax.tree.map(lambda x: lax.convert_element_type(x, jnp.float32), found)

    # TPUs have no float64.
    return lax.platform_dependent(basis, beyond, tpu=in_own_precision, default=in_float64)


def _ritz_of_gram(search: Search, eps: float, gram: Array, beyond: Array) -> tuple[Array, Array, Array]:
    w, vectors = jnp.linalg.eigh(gram, symmetrize_input=False)
    kept = BLOCKS_KEPT * search.block
    w, vectors = (jnp.flip(x, -1)[..., :kept] for x in (jnp.maximum(w, 0), vectors))
    left = jnp.linalg.norm(beyond @ vectors[..., -search.block :, : search.rank], axis=-2)
    largest = w[..., :1]
    rounding = max(32 * float(jnp.finfo(gram.dtype).eps) / search.tolerance, 16 * eps)
    size = jnp.maximum(jnp.sqrt(w[..., : search.rank] * largest), rounding * largest)
    return w, vectors, jnp.max(left / jnp.where(size > 0, size, 1), axis=-1)
