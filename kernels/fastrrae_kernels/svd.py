"""`truncated_svd`: the k leading singular triplets."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike
from jaxtyping import Float

from .active_rank import kept_of
from .backends import Backend
from .conditioning import Problem
from .matrices import diagonal, matmul, on_each_device, transpose
from .methods import AUTO, Method
from .shifted_systems import safe_inverse, tie_tolerance
from .subspaces import Subspaces, leading_subspaces


class TruncatedSVD(NamedTuple):
    """The leading singular triplets: `a ~ (u * s[..., None, :]) @ vt`, with `s` descending."""

    u: Float[Array, "*batch m k"]
    s: Float[Array, "*batch k"]
    vt: Float[Array, "*batch k n"]


def truncated_svd(
    a: Float[ArrayLike, "*batch m n"],
    rank: int,
    *,
    method: Method = AUTO,
    axis_name: str | None = None,
    start: Float[ArrayLike, "*batch j n"] | None = None,
    active_rank: ArrayLike | None = None,
    backend: Backend = "auto",
) -> TruncatedSVD:
    """The `rank` largest singular values of `a` and their singular vectors.

    Args:
        a: shape (..., m, n), real. bfloat16 and float16 are computed in float32 and answered in their own type;
            integers become floats.
        rank: how many triplets to keep, 1 <= rank <= min(m, n). A Python integer, for it sets shapes.
        method: `Auto()`, `Exact()`, `Gram()` or `Randomized(...)`.
        axis_name: inside `shard_map`, the mesh axis over which the rows of `a` (the samples) are sharded; m is then
            the number of local rows, and `rank` may exceed it. `u` stays sharded, `s` and `vt` are the same on every
            device. One n x n matrix and a few of n x rank are summed over the devices; rows are never gathered.
        start: for iterative methods, rows that span a guess of the row space, such as the `vt` of a similar matrix.
            No derivative is taken with respect to it.
        active_rank: how many of the `rank` triplets count, an integer or an array of integers (...) that may be traced:
            a rank that changes without compiling again. All values and vectors of the others are zero.
        backend: "xla", "pallas" (kernels of this package, for TPUs, with `Gram()` on float32), or "auto": the kernels
            where a program is compiled for a TPU and they can, XLA otherwise.

    Returns:
        `u` (..., m, rank) and `vt` (..., rank, n), both orthonormal even where `a` has a smaller rank, and `s`
        (..., rank) in descending order. The sign of each triplet is not determined.

    Raises:
        ValueError: `a` has fewer than two axes, `rank` or `active_rank` does not fit, `start` has another n than `a` or
            a method that does not iterate, `Exact()` is asked for a sharded matrix, or `backend` cannot do what it is
            asked for.
        TypeError: `a` is complex, or a rank is not an integer, or `method` is not a method.

    NaN or infinity anywhere in a matrix makes all of its results NaN.

    Derivatives, of any order and in both modes, are exact: the discarded part of `a` is in the rule. Where two kept
    singular values differ by at most 16 eps s_1, the factors have no derivative, and the entry with 1 / (s_i - s_j) is
    set to zero. That is right for functions of the tied spans (`u @ u.T`, `u @ vt`, `vt.T @ vt`) and symmetric
    functions of the tied values; for the product `(u * s) @ vt` use `low_rank`, which is exact there. A tie between
    the last kept value and the first discarded one has no derivative either; what is returned there is finite.
    """
    problem, d = leading_subspaces(a, rank, method, axis_name, start, backend)
    return factors_of(problem, d, active_rank)


def factors_of(problem: Problem, d: Subspaces, active_rank: ArrayLike | None = None) -> TruncatedSVD:
    """The singular triplets that leading subspaces stand for, in the units, orientation and type of the input."""
    u, s, vt = _factors(problem.plan.axis_name, d)
    kept = kept_of(active_rank, s.shape[-1], s.dtype)
    if kept is not None:
        u, s, vt = u * kept[..., None, :], s * kept, vt * kept[..., :, None]
    if problem.transposed:
        u, vt = transpose(vt), transpose(u)
    s = s * problem.scale[..., 0]
    return TruncatedSVD(u.astype(problem.dtype), s.astype(problem.dtype), vt.astype(problem.dtype))


@partial(jax.jit, static_argnums=0)
def _factors(axis_name: str | None, d: Subspaces) -> tuple[Array, Array, Array]:
    turn_u, s, turn_v = _svd_of_core(d.core)
    return transpose(_turned(turn_u, transpose(d.u))), s, _turned(on_each_device(axis_name, turn_v), d.vt)


def _turned(turn: Array, x: Array) -> Array:
    """`turn^T x` for a `turn` that is the identity and has a derivative: only the derivative costs a product.

    It is the solution `y` of `turn y = x`; the signs cancel those that differentiating the equation brings in.
    """
    return lax.custom_linear_solve(lambda y: -matmul(-turn, y), x, lambda _, b: b, lambda _, b: b)


@jax.custom_jvp
def _svd_of_core(core: Array) -> tuple[Array, Array, Array]:
    """The SVD `turn_u diag(s) turn_v^T` of a `core`, which is diagonal already; only its derivative is not trivial."""
    identity = jnp.broadcast_to(jnp.eye(core.shape[-1], dtype=core.dtype), core.shape)
    return identity, diagonal(core), identity


@_svd_of_core.defjvp
def _svd_of_core_jvp(primals, tangents):
    """With `e = turn_u^T dcore turn_v`, symmetric part S and skew part K: `ds = diag(e)`,
    `dturn_u = turn_u (S_ij / (s_j - s_i) + K_ij / (s_j + s_i))`, and the same for `turn_v` with `-K`.
    """
    (core,), (dcore,) = primals, tangents
    turn_u, s, turn_v = _svd_of_core(core)
    e = matmul(matmul(transpose(turn_u), dcore), turn_v)
    tolerance = tie_tolerance(s)
    row, column = s[..., :, None], s[..., None, :]
    symmetric = (e + transpose(e)) / 2 * safe_inverse(column - row, tolerance)
    skew = (e - transpose(e)) / 2 * safe_inverse(column + row, tolerance)
    moved = matmul(turn_u, symmetric + skew), diagonal(e), matmul(turn_v, symmetric - skew)
    return (turn_u, s, turn_v), moved
