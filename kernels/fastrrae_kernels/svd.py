"""`truncated_svd`: the k leading singular triplets."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from .conditioning import condition
from .matrices import matmul, transpose
from .methods import AUTO, Exact, Gram, Method, resolve_method
from .subspaces import diagonal, leading_subspaces, safe_inverse, tie_tolerance


class TruncatedSVD(NamedTuple):
    """The leading singular triplets: `a ~ (u * s[..., None, :]) @ vt`, with `s` descending."""

    u: Float[Array, "*batch m k"]
    s: Float[Array, "*batch k"]
    vt: Float[Array, "*batch k n"]


def truncated_svd(a: Float[ArrayLike, "*batch m n"], rank: int, *, method: Method = AUTO) -> TruncatedSVD:
    """The `rank` largest singular values of `a` and their singular vectors.

    Args:
        a: shape (..., m, n), real. bfloat16 and float16 are computed in float32 and answered in their own type;
            integers become floats.
        rank: how many triplets to keep, 1 <= rank <= min(m, n). A Python integer, for it sets shapes.
        method: `Auto()`, `Exact()` or `Gram()`.

    Returns:
        `u` (..., m, rank) and `vt` (..., rank, n), both orthonormal even where `a` has a smaller rank, and `s`
        (..., rank) in descending order. The sign of each triplet is not determined.

    Raises:
        ValueError: `a` has fewer than two axes, or `rank` does not fit.
        TypeError: `a` is complex, or `rank` is not an integer, or `method` is not a method.

    NaN or infinity anywhere in a matrix makes all of its results NaN.

    Derivatives, of any order and in both modes, are exact: the discarded part of `a` is in the rule. Where two kept
    singular values differ by at most 16 eps s_1, the factors have no derivative, and the entry with 1 / (s_i - s_j) is
    set to zero. That is right for functions of the tied spans (`u @ u.T`, `u @ vt`, `vt.T @ vt`) and symmetric
    functions of the tied values; for the product `(u * s) @ vt` use `low_rank`, which is exact there. A tie between
    the last kept value and the first discarded one has no derivative either; what is returned there is finite.
    """
    matrix, scale, dtype = condition(a, rank)
    resolved = resolve_method(method, matrix.dtype)
    if matrix.shape[-2] > matrix.shape[-1]:
        v, s, ut = _truncated_svd_of_wide(resolved, rank, transpose(matrix))
        u, vt = transpose(ut), transpose(v)
    else:
        u, s, vt = _truncated_svd_of_wide(resolved, rank, matrix)
    return TruncatedSVD(u.astype(dtype), (s * scale[..., 0]).astype(dtype), vt.astype(dtype))


@partial(jax.jit, static_argnums=(0, 1))
def _truncated_svd_of_wide(method: Exact | Gram, rank: int, a: Array) -> TruncatedSVD:
    d = leading_subspaces(method, rank, a)
    turn_u, s, turn_v = _svd_of_core(d.core)
    return TruncatedSVD(matmul(d.u, turn_u), s, matmul(transpose(turn_v), d.vt))


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
