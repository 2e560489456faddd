"""`Tracked`: subspace iteration from a basis that was good for the matrix before, and exact where that is too little.

Training decomposes one latent matrix after the other, whose rows are other samples of nearly the same distribution.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from ..cholesky_qr import divided_by_factor
from ..decomposition import Decomposition, Method, Options
from ..matrices import on_each_device, sum_over
from ..operands import Dense, Operand
from ..random_rows import random_rows
from .auto import direct
from .gram import gram
from .native_batching import natively_batched

OVERSAMPLE = 8  # and an eighth of the rank: the iteration converges by the gap to what is beyond these

# Columns that are not those of the start: a direction that has become large without a trace in the old basis would
# never be found by multiplying that basis.
FRESH = 2

# Kept singular values below this share of the largest are judged as if they were as large.
NEGLIGIBLE = 1e-4

# Of the Gram matrix of orthonormal columns, less the identity (Frobenius): in units of eps b, what rounding leaves; and
# what is far enough from singular to be factorised as it is. The shift where it is not, in units of eps b.
ORTHONORMAL, WELL_CONDITIONED, SHIFT = 8, 0.5, 16
MOST_ROUNDS = 6

# A defect of which a step of Newton and Schulz leaves three quarters of its square.
NEARLY_ORTHONORMAL = 1e-2

# A row of the other side is `u^T a / s`, whose rounding errors are eps s_1 / s.
RESOLVED = 1e-3


@dataclass(frozen=True)
class Tracked(Method):
    """Subspace iteration from the basis of a similar matrix, or exact.

    For a sequence of matrices whose leading right singular vectors change
    slowly: `tracked_low_rank_and_svd` returns the basis for the next one. Each
    decomposition multiplies the old basis by `a^T a` and takes the best
    triplets within the span of the result (Rayleigh-Ritz). With `a v = s u` to
    rounding, they leave the residuals `e_i = a^T u_i - s_i v_i`. The matrix is
    decomposed exactly, as with `Auto()`, where the root mean square of
    `|e_i| / s_i` over the kept triplets exceeds `tolerance` or is NaN; without
    a start, or with a start of zeros; and where twice the size of the basis
    exceeds min(m, n).

    The triplets are exactly those of the nearby matrix `a - u e^T`, and the
    derivatives are those at that matrix, with linear systems solved by
    conjugate gradients to 1e-4. As derivatives at `a` itself they are biased,
    by the order of `|e| / s` over the relative gap between the last kept and
    the first discarded singular value.

    Attributes:
        oversample: directions of the basis beyond the rank; None: 8 and an
            eighth of the rank. Two of them are always new.
        iterations: how often the basis is multiplied by `a^T a`.
        tolerance: see above.
    """

    oversample: int | None = None
    iterations: int = 1
    tolerance: float = 0.05

    takes_start: ClassVar[bool] = True
    works_on_columns: ClassVar[bool] = True
    approximate: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.oversample is not None and self.oversample < FRESH:
            raise ValueError(f"`oversample` must be at least {FRESH}, or None; got {self.oversample}")
        if self.iterations < 1:
            raise ValueError(f"`iterations` must be at least 1; got {self.iterations}")
        if not self.tolerance > 0:
            raise ValueError(f"`tolerance` must be positive; got {self.tolerance}")

    def block(self, rank: int) -> int:
        """How many columns the basis has."""
        return rank + (OVERSAMPLE + rank // 8 if self.oversample is None else self.oversample)

    def applies(self, rank: int, size: int) -> bool:
        """Whether anything is tracked for a matrix whose smaller side is `size`; else all is exact."""
        return 2 * self.block(rank) <= size

    def decompose(self, a: Operand, start: Array | None, options: Options) -> Decomposition:
        """From the columns of `start` (..., p, j), p being the axis of the columns of the matrix."""
        p, q = a.shape[-2:]
        rows = q if options.axis_name is None else q * lax.axis_size(options.axis_name)
        if start is None or not self.applies(options.rank, min(p, rows)):
            return natively_batched(partial(_exact, options))(a)
        return natively_batched(partial(_tracked, self, options))(a, start)

    @property
    def gradient_tolerance(self) -> float:
        """Below any tolerance that is worth tracking for."""
        return 1e-4


class _Attempt(NamedTuple):
    triplets: Decomposition
    error: Array  # (...), the root mean square of |a v_i - s_i u_i| / s_i


def _tracked(method: Tracked, options: Options, a: Operand, start: Array) -> Decomposition:
    known = _discarded_count(options, a)
    given = jnp.all(jnp.any(start != 0, axis=(-2, -1)))
    attempt = partial(_attempt, method, options, known)
    with jax.named_scope("tracked"):
        found = lax.cond(given, attempt, partial(_no_attempt, options, known), a, start)

    def exact(a: Operand, found: _Attempt) -> Decomposition:
        del found
        return _exact(options, a)

    good = jnp.all(found.error <= method.tolerance)  # not if it is NaN
    with jax.named_scope("judged"):
        return lax.cond(good, lambda a, found: found.triplets, exact, a, found)


def _attempt(method: Tracked, options: Options, known: int, a: Operand, start: Array) -> _Attempt:
    axis_name, rank = options.axis_name, options.rank
    old = start[..., : method.block(rank) - FRESH]
    new = random_rows((method.block(rank) - old.shape[-1], a.shape[-2]), a.dtype).mT
    x = jnp.concatenate([old, new - old @ (old.mT @ new)], -1)
    for _ in range(method.iterations):
        # The columns of `a a^T x` are graded like squares, too much for float32: one round between the two products.
        v = _improved(_unit_columns((x.mT @ a).mT, axis_name), axis_name)
        x = _orthonormal(sum_over(axis_name, a @ v.x))
    within = gram(rank, axis_name, "auto", x.mT @ a)
    u, s, vt = x @ within.u, within.s, within.vt
    residual = jnp.linalg.norm(sum_over(axis_name, a @ vt.mT) - u * s[..., None, :], axis=-2)
    error = jnp.sqrt(jnp.mean((residual / jnp.maximum(s, NEGLIGIBLE * s[..., :1])) ** 2, axis=-1))
    beyond = x @ within.discarded_u
    more = known - beyond.shape[-1]
    return _Attempt(
        Decomposition(
            u,
            s,
            vt,
            jnp.pad(beyond, [*((0, 0) for _ in beyond.shape[:-1]), (0, more)]),
            jnp.pad(within.discarded_s, [*((0, 0) for _ in beyond.shape[:-2]), (0, more)]),
            jnp.zeros_like(error),
        ),
        error,
    )


class _Columns(NamedTuple):
    x: Array  # (..., p, b)
    gram: Array  # (..., b, b), x^T x
    rounds: Array | int  # of Cholesky QR so far


def _unit_columns(x: Array, axis_name: str | None = None) -> _Columns:
    """Columns of equal length, and noise of the size of rounding for those that depend on others."""
    length = jnp.sqrt(sum_over(axis_name, jnp.sum(x * x, axis=-2, keepdims=True)))
    noise = float(jnp.finfo(x.dtype).eps) * random_rows(x.mT.shape, x.dtype, axis_name=axis_name).mT
    x = x / jnp.where(length > 0, length, 1) + noise
    return _Columns(x, sum_over(axis_name, x.mT @ x), 0)


def _improved(columns: _Columns, axis_name: str | None = None) -> _Columns:
    """The same span after a round of shifted Cholesky QR (Fukaya et al. 2020), whose rows may be sharded.

    Nearly orthonormal columns take a step of Newton and Schulz instead: it is as good there, and one product.
    """
    eps, b = float(jnp.finfo(columns.x.dtype).eps), columns.x.shape[-1]
    identity, defect = jnp.eye(b, dtype=columns.x.dtype), _defect(columns)

    def by_factor(columns: _Columns) -> Array:
        shift = jnp.where(defect > WELL_CONDITIONED, SHIFT * eps * b, 0)
        return divided_by_factor(columns.x, columns.gram + shift * identity)

    def by_product(columns: _Columns) -> Array:
        return columns.x @ (1.5 * identity - columns.gram / 2)

    with jax.named_scope("nearly"):
        x = lax.cond(jnp.all(defect <= NEARLY_ORTHONORMAL), by_product, by_factor, columns)
    return _Columns(x, sum_over(axis_name, x.mT @ x), columns.rounds + 1)


def _defect(columns: _Columns) -> Array:
    """(..., 1, 1), how far from orthonormal they are."""
    identity = jnp.eye(columns.gram.shape[-1], dtype=columns.gram.dtype)
    return jnp.linalg.norm(columns.gram - identity, axis=(-2, -1), keepdims=True)


def _orthonormal(x: Array) -> Array:
    """An orthonormal basis of the columns of `x` (..., p, b), or NaN where it has not become one after all rounds.

    Two rounds are enough where the columns are well conditioned, as those of a basis that moves slowly.
    """
    enough = ORTHONORMAL * float(jnp.finfo(x.dtype).eps) * x.shape[-1]

    def unfinished(columns: _Columns) -> Array:
        return (columns.rounds < MOST_ROUNDS) & jnp.any(_defect(columns) > enough)

    with jax.named_scope("orthonormalise"):
        first = _unit_columns(x)._replace(rounds=jnp.zeros((), jnp.int32))
        last = lax.while_loop(unfinished, _improved, first)
    return jnp.where(_defect(last) <= enough, last.x, jnp.nan)


def _no_attempt(options: Options, known: int, a: Operand, start: Array) -> _Attempt:
    """What `_attempt` returns, where there is nothing to begin with."""
    *batch, p, q = a.shape
    # Inside `shard_map`, results may differ along the mesh axes along which the arguments do, except for sums.
    alike = [start] if options.axis_name else [start, *jax.tree.leaves(a)]
    zero = sum(jnp.zeros_like(x, a.dtype, shape=()) for x in alike)
    none: Callable[..., Array] = lambda *shape: jnp.broadcast_to(zero, (*batch, *shape))  # noqa: E731
    k, vt = options.rank, on_each_device(options.axis_name, none(options.rank, q))
    triplets = Decomposition(none(p, k), none(k), vt, none(p, known), none(known), none())
    return _Attempt(triplets, none() + jnp.inf)


def _discarded_count(options: Options, a: Operand) -> int:
    """How many discarded directions an exact decomposition knows."""
    p, q = a.shape[-2:]
    return (q if _is_tall(options, a) else p) - options.rank


def _is_tall(options: Options, a: Operand) -> bool:
    """Whether the matrix (p, q) has its smaller side, all of it here, on the other side."""
    p, q = a.shape[-2:]
    return options.axis_name is None and q < p and isinstance(a, Dense)


def _exact(options: Options, a: Operand) -> Decomposition:
    if isinstance(a, Dense) and _is_tall(options, a):
        d = _transposed(replace(a, transposed=not a.transposed), options)
    else:
        d = direct(options, a)
    return d._replace(exact=jnp.ones_like(d.s[..., 0]))


def _transposed(a: Dense, options: Options) -> Decomposition:
    """The decomposition of `a^T`, from that of `a`; discarded directions of small values count as not known."""
    d = direct(options, a)
    s = d.discarded_s[..., :, None]
    resolved = s > RESOLVED * d.s[..., None, :1]
    beyond = jnp.where(resolved, (d.discarded_u.mT @ a) / jnp.where(resolved, s, 1), 0)
    return Decomposition(d.vt.mT, d.s, d.u.mT, beyond.mT, d.discarded_s)
