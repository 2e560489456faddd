"""`Randomized`: block Krylov iteration from a random or a given start, until the residual is small."""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import jax.numpy as jnp
from jax import Array, lax

from ..cholesky_qr import inverse_of_factor, orthonormal_columns
from ..decomposition import Decomposition, Method, Options
from ..matrices import diagonal, gram_matrix
from ..operands import Operand
from ..random_rows import random_rows
from .gram import gram
from .krylov import COARSE, MOST_BLOCKS, Basis, RitzVectors, Search, krylov_basis, two_blocks
from .native_batching import natively_batched

OVERSAMPLE, ROUND_TO = 8, 8  # the fastest products are those with a multiple of eight columns

# Down to this share of s_1, float32 resolves the singular vectors of a basis better than a coarse tolerance asks for.
RESOLVED = 0.02


@dataclass(frozen=True)
class Randomized(Method):
    """Block Krylov iteration, for a rank far below min(m, n), and for warm starts.

    Iterates until every kept triplet has `|a v_i - s_i u_i| <= tolerance *
    s_1`, or until `iterations` are done. Then each kept `s_i` is within
    `tolerance * s_1` of some singular value of `a`; errors of the kept singular
    values are of the order `tolerance^2 s_1`, those of singular vectors and of
    derivatives of the order `tolerance`, over the gap to the discarded values.
    What was reached can be seen with `residual`. A fast decay makes it fast;
    where rank and oversampling together are not far below min(m, n), `Gram` is
    faster and exact.

    Derivatives solve their linear systems by conjugate gradients,
    preconditioned with the directions beyond the rank.

    Attributes:
        oversample: how many columns beyond the rank a block has; None: 8 to 15,
            so that there are a multiple of 8 in all.
        iterations: the most products with `a a^T`.
        tolerance: see above.
        seed: the seed of the random start.
    """

    oversample: int | None = None
    iterations: int = 64
    tolerance: float = 1e-3
    seed: int = 0

    takes_start: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.oversample is not None and self.oversample < 0:
            raise ValueError(f"`oversample` must be at least 0, or None; got {self.oversample}")
        if self.iterations < 1:
            raise ValueError(f"`iterations` must be at least 1; got {self.iterations}")
        if not self.tolerance > 0:
            raise ValueError(f"`tolerance` must be positive; got {self.tolerance}")

    def block(self, rank: int) -> int:
        """How many columns are multiplied at once."""
        if self.oversample is None:
            return -(-(rank + OVERSAMPLE) // ROUND_TO) * ROUND_TO
        return rank + self.oversample

    def decompose(self, a: Operand, start: Array | None, options: Options) -> Decomposition:
        """By iterating on blocks of columns (..., p, b)."""
        block = self.block(options.rank)
        if (MOST_BLOCKS + 1) * block > a.shape[-2]:  # nearly every direction would be in the basis
            return gram(options.rank, options.axis_name, "auto", a.dense())
        search = Search(options.rank, block, self.iterations, self.tolerance, options.axis_name)
        return natively_batched(partial(iterated, search, self.seed))(a, start)

    @property
    def gradient_tolerance(self) -> float:
        """A tenth of the tolerance; far less would not be reached where s_k^2 is below the rounding of s_1^2."""
        return 0.1 * self.tolerance


def iterated(search: Search, seed: int, a: Operand, start: Array | None) -> Decomposition:
    """The triplets that the search finds; the columns of `start` (..., p, j) come first in its first block."""
    first = first_block(seed, search.block, a, start)
    if search.iterations == 1:  # there is nothing to judge
        return _from_products(search, two_blocks(search, a, first))
    return within_basis(search, krylov_basis(search, a, first))


def within_basis(search: Search, ritz: RitzVectors) -> Decomposition:
    """The triplets of a matrix within the span of a basis, from the products that are at hand."""
    from_products = lambda ritz: _from_products(search, ritz.basis)  # noqa: E731
    if search.tolerance < COARSE:
        return from_products(ritz)
    resolved = jnp.all(ritz.values[..., search.rank - 1] > RESOLVED**2 * ritz.values[..., 0])
    return lax.cond(resolved, partial(_from_ritz_vectors, search), from_products, ritz)


def _from_products(search: Search, basis: Basis) -> Decomposition:
    within = gram(search.rank, search.axis_name, "auto", basis.xt_a)
    return within._replace(u=basis.x @ within.u, discarded_u=basis.x @ within.discarded_u)


def _from_ritz_vectors(search: Search, ritz: RitzVectors) -> Decomposition:
    """With the Ritz vectors of the stopping test.

    The rows `u^T a` are orthogonal to eps (s_1 / s_k)^2 as cosines; one round of Cholesky QR leaves rounding. It moves
    a row by the larger ones only.
    """
    rank, basis = search.rank, ritz.basis
    u = basis.x @ ritz.vectors
    rows = basis.combined(ritz.vectors[..., :rank])
    factor = lax.linalg.cholesky(gram_matrix(rows, search.axis_name), symmetrize_input=False)
    vt = inverse_of_factor(factor) @ rows
    s = lax.cummin(diagonal(factor), axis=factor.ndim - 2)  # rounding can swap neighbours that are tied
    return Decomposition(u[..., :rank], s, vt, u[..., rank:], jnp.sqrt(ritz.values[..., rank:]))


def first_block(seed: int, block: int, a: Operand, start: Array | None) -> Array:
    """Orthonormal columns (..., p, b): those of `start`, and random ones, the same for all matrices of a stack."""
    if start is None:
        columns = orthonormal_columns(random_rows((block, a.shape[-2]), a.dtype, seed=seed).mT)
        return jnp.broadcast_to(columns, (*a.shape[:-1], block))
    more = max(0, block - start.shape[-1])
    columns = random_rows((more, a.shape[-2]), a.dtype, seed=seed).mT
    length = jnp.max(jnp.abs(start), axis=(-2, -1), keepdims=True)
    start = start[..., :block] / jnp.where(length > 0, length, 1)
    return orthonormal_columns(jnp.concatenate([start, jnp.broadcast_to(columns, (*a.shape[:-1], more))], -1))
