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

from ..decomposition import Decomposition, Method, Options
from ..matrices import scattered_rows, sum_over
from ..operands import Dense, Operand
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
ORTHONORMAL, WELL_CONDITIONED, SHIFT = 8, 0.5, 100
MOST_ROUNDS = 6

# A row of the other side is `u^T a / s`, whose rounding errors are eps s_1 / s.
RESOLVED = 1e-3


@dataclass(frozen=True)
class Tracked(Method):
    """Subspace iteration from a `start` of an earlier, similar matrix; exact where that does not suffice.

    For a sequence of matrices whose leading right singular vectors change
    slowly, with the function `tracked_low_rank_and_svd`, which returns the next
    `start`. Each decomposition multiplies the start by `a^T a` `iterations`
    times, and takes the best triplets within the span of the result
    (Rayleigh-Ritz). These have `u_i^T a = s_i v_i^T` to rounding and leave a
    residual `e_i = a v_i - s_i u_i` (u and v as in `truncated_svd` of the
    transposed matrix). Where the root mean square of `|e_i| / s_i` over the kept
    triplets exceeds `tolerance`, or is not a number, the matrix is decomposed
    again, as with `Auto()`. So it is without a start, with a start of zeros, and
    where rank and oversampling together exceed half of min(m, n).

    The triplets are exactly those of the nearby matrix `a - e v^T`, and
    derivatives are exactly those at that matrix: as approximations of the
    derivatives at `a` they are biased by the order of the tolerance, over the
    gap to the discarded singular values. Their linear systems are solved by
    conjugate gradients, to a relative residual of 1e-4.

    Attributes:
        oversample: columns of the basis beyond the rank; None: 8 and an eighth
            of the rank. Two of them are always new.
        iterations: products with `a^T a`, each twice as much work as a product
            of `a` with the basis.
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
    new = scattered_rows(jnp.zeros((method.block(rank) - old.shape[-1], a.shape[-2]), a.dtype)).mT
    x = jnp.concatenate([old, jnp.broadcast_to(new, (*old.shape[:-1], new.shape[-1]))], -1)
    for _ in range(method.iterations):
        # Orthonormal on both sides: the columns of `a a^T x` alone are graded like squares, too much for float32.
        v = _orthonormal((x.mT @ a).mT, axis_name)
        x = _orthonormal(sum_over(axis_name, a @ v))
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


class _Rounds(NamedTuple):
    x: Array  # (..., p, b)
    gram: Array  # (..., b, b), x^T x
    count: Array


def _orthonormal(x: Array, axis_name: str | None = None) -> Array:
    """An orthonormal basis of the columns of `x` (..., p, b), whose rows may be sharded; earlier columns stay.

    Shifted Cholesky QR (Fukaya et al. 2020) until that is so: one or two rounds where the columns, of equal length, are
    well conditioned, as those of a basis that moves slowly. Columns that depend on others become random ones, by noise
    of the size of rounding. A basis that is still not orthonormal after all rounds becomes NaN.
    """
    eps, b = float(jnp.finfo(x.dtype).eps), x.shape[-1]
    one = jnp.eye(b, dtype=x.dtype)

    def gram(x: Array) -> Array:
        return sum_over(axis_name, x.mT @ x)

    def defect(rounds: _Rounds) -> Array:
        return jnp.linalg.norm(rounds.gram - one, axis=(-2, -1), keepdims=True)

    def unfinished(rounds: _Rounds) -> Array:
        return (rounds.count < MOST_ROUNDS) & jnp.any(defect(rounds) > ORTHONORMAL * eps * b)

    def improve(rounds: _Rounds) -> _Rounds:
        shift = jnp.where(defect(rounds) > WELL_CONDITIONED, SHIFT * eps * b, 0)
        factor = lax.linalg.cholesky(rounds.gram + shift * one, symmetrize_input=False)
        identity = jnp.broadcast_to(one, factor.shape)
        x = rounds.x @ lax.linalg.triangular_solve(factor, identity, left_side=True, lower=True).mT
        return _Rounds(x, gram(x), rounds.count + 1)

    length = jnp.sqrt(sum_over(axis_name, jnp.sum(x * x, axis=-2, keepdims=True)))
    x = x / jnp.where(length > 0, length, 1) + eps * scattered_rows(x.mT, axis_name).mT
    with jax.named_scope("orthonormalise"):
        last = lax.while_loop(unfinished, improve, _Rounds(x, gram(x), jnp.zeros((), jnp.int32)))
    return jnp.where(defect(last) <= ORTHONORMAL * eps * b, last.x, jnp.nan)


def _no_attempt(options: Options, known: int, a: Operand, start: Array) -> _Attempt:
    """What `_attempt` returns, where there is nothing to begin with."""
    del start
    *batch, p, q = a.shape
    none: Callable[..., Array] = lambda *shape: jnp.zeros((*batch, *shape), a.dtype)  # noqa: E731
    k, vt = options.rank, none(options.rank, q)
    if options.axis_name is not None:
        vt = lax.pcast(vt, options.axis_name, to="varying")
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
