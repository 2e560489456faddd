"""`truncated_svd`: the k leading singular triplets; `residual` and `fixed_signs`: of given factors."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike
from jaxtyping import Float

from .arguments import Problem, prepare
from .decomposition import Backend, Method, Options
from .derivative_rule import Subspaces, results_of
from .matrices import diagonal, full_precision, identity_like, on_each_device, sum_over
from .methods import AUTO
from .operators import LinearOperator
from .shifted_systems import safe_inverse, tie_tolerance


class TruncatedSVD(NamedTuple):
    """The leading singular triplets: `a ~ (u * s[..., None, :]) @ vt`.

    The values `s` are in descending order.
    """

    u: Float[Array, "*batch m k"]
    s: Float[Array, "*batch k"]
    vt: Float[Array, "*batch k n"]


@full_precision
def truncated_svd(
    a: Float[ArrayLike, "*batch m n"] | LinearOperator,
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
        a: shape (..., m, n), real. bfloat16 and float16 are computed in float32
            and returned in their own type; integers become floats. Or a
            `LinearOperator`; derivatives are then with respect to its
            parameters.
        rank: how many triplets to keep, 1 <= rank <= min(m, n). A Python
            integer, because it sets shapes.
        method: `Auto()`, `Exact()`, `Gram()`, `Randomized(...)` or
            `Tracked(...)`.
        axis_name: inside `shard_map`, the mesh axis over which the rows of `a`
            (the samples) are sharded. m is then the number of local rows, and
            `rank` may exceed it. `u` stays sharded; `s` and `vt` are the same
            on every device. The devices sum one n x n matrix and a few of n x
            rank; rows are never gathered.
        start: for iterative methods, rows (..., j, n) that span a guess of the
            row space, such as the `vt` of a similar matrix. No derivative is
            taken with respect to it.
        active_rank: how many of the `rank` triplets count, an integer or an
            array of integers (...). It may be traced: the rank then changes
            without compiling again. Values and vectors of the other triplets
            are zero. Traced values cannot be checked: one above `rank` counts
            as `rank`, one below 0 as 0.
        backend: "xla"; "pallas" (this package's kernels for TPUs, with `Gram()`
            on float32); or "auto": the kernels where a program is compiled for
            a TPU and they apply, XLA otherwise.

    Returns:
        `u` (..., m, rank) and `vt` (..., rank, n), both orthonormal even where
        `a` has a smaller rank, and `s` (..., rank) in descending order. The
        sign of each triplet is not determined (see `fixed_signs`). NaN or
        infinity anywhere in a matrix makes all of its results NaN.

    Raises:
        ValueError: `a` has fewer than two axes; `rank` or `active_rank` does
            not fit; `start` has another n than `a`, or the method does not
            iterate; `Exact()` is requested for a sharded matrix; or `backend`
            cannot do what is requested.
        TypeError: `a` is complex, a rank is not an integer, or `method` is not
            a method.

    Derivatives are exact, of any order and in both modes: the rule includes the
    discarded part of `a`. Where two kept singular values differ by at most 16
    eps s_1, the factors have no derivative, and the entry with 1 / (s_i - s_j)
    is set to zero. That is right for functions of the spans of repeated values
    (`u @ u.T`, `u @ vt`, `vt.T @ vt`) and for symmetric functions of these
    values. For the product `(u * s) @ vt` use `low_rank`, which is exact there.
    Where the last kept value equals the first discarded one, there is no
    derivative; the result there is finite.

    Example:
        >>> a = jax.random.normal(jax.random.key(0), (32, 64, 200))
        >>> u, s, vt = truncated_svd(a, rank=16)
        >>> s.shape
        (32, 16)
    """
    problem = prepare(a, start, active_rank, Options(rank, method, axis_name, backend))
    return factors_as_given(problem, *results_of(problem, DEGREES, partial(factors_of, axis_name)))


DEGREES = (0, 1, 0)  # of the factors, see `results_of`


def factors_of(axis_name: str | None, d: Subspaces, kept: Array | None) -> tuple[Array, Array, Array]:
    """The singular triplets (..., p, k), (..., k, 1) and (..., k, q) that leading subspaces stand for."""
    u, s, vt = _factors(axis_name, d)
    if kept is not None:
        u, s, vt = u * kept[..., None, :], s * kept, vt * kept[..., :, None]
    return u, s[..., None], vt


def factors_as_given(problem: Problem, u: Array, s: Array, vt: Array) -> TruncatedSVD:
    """In the orientation and type of the input."""
    u, s, vt = (x.astype(problem.dtype) for x in (u, s[..., 0], vt))
    return TruncatedSVD(vt.mT, s, u.mT) if problem.transposed else TruncatedSVD(u, s, vt)


@partial(jax.jit, static_argnums=0)
@full_precision
def _factors(axis_name: str | None, d: Subspaces) -> tuple[Array, Array, Array]:
    rotation_u, s, rotation_v = _svd_of_core(d.core)
    return _rotated(rotation_u, d.u.mT).mT, s, _rotated(on_each_device(axis_name, rotation_v), d.vt)


def _rotated(rotation: Array, x: Array) -> Array:
    """`rotation^T x` for a rotation that is the identity and has a derivative: only the derivative costs a product.

    It is the solution `y` of `rotation y = x`; the signs cancel those that differentiating the equation brings in.
    """
    return lax.custom_linear_solve(lambda y: -(-rotation @ y), x, lambda _, b: b, lambda _, b: b)


@jax.custom_jvp
def _svd_of_core(core: Array) -> tuple[Array, Array, Array]:
    """The SVD `rotation_u diag(s) rotation_v^T` of a `core` that is diagonal: only its derivative is not trivial."""
    identity = identity_like(core)
    return identity, diagonal(core), identity


@_svd_of_core.defjvp
@full_precision
def _svd_of_core_jvp(primals, tangents):
    """With `e = rotation_u^T dcore rotation_v`, symmetric part S and skew part K: `ds = diag(e)`,
    `drotation_u = rotation_u (S_ij / (s_j - s_i) + K_ij / (s_j + s_i))`, and the same for `rotation_v` with `-K`.
    """
    (core,), (dcore,) = primals, tangents
    rotation_u, s, rotation_v = _svd_of_core(core)
    e = rotation_u.mT @ dcore @ rotation_v
    tolerance = tie_tolerance(s)
    row, column = s[..., :, None], s[..., None, :]
    symmetric = (e + e.mT) / 2 * safe_inverse(column - row, tolerance)
    skew = (e - e.mT) / 2 * safe_inverse(column + row, tolerance)
    return (rotation_u, s, rotation_v), (rotation_u @ (symmetric + skew), diagonal(e), rotation_v @ (symmetric - skew))


@full_precision
def residual(
    a: Float[ArrayLike, "*batch m n"] | LinearOperator, svd: TruncatedSVD, *, axis_name: str | None = None
) -> Float[Array, "*batch k"]:
    """How far each triplet is from being one of `a`, in its units: (..., k).

    It is `sqrt(|a v_i - s_i u_i|^2 + |a^T u_i - s_i v_i|^2)`. Within sqrt(1/2)
    times this distance of each `s_i` there is a singular value of `a`. Exact
    factors leave rounding, a few eps s_1; `Randomized(tolerance=t)` leaves
    about `t * s_1`.

    Example:
        >>> svd = truncated_svd(a, 8, method=Randomized(tolerance=1e-2))
        >>> residual(a, svd).max() / svd.s.max()  # about 1e-2, or less
    """
    a = a if isinstance(a, LinearOperator) else jnp.asarray(a)
    u, s, v = svd.u, svd.s[..., None, :], svd.vt.mT
    left = jnp.sum((a @ v - s * u) ** 2, axis=-2)
    right = sum_over(axis_name, u.mT @ a).mT - s * v
    return jnp.sqrt(sum_over(axis_name, left) + jnp.sum(right**2, axis=-2))


def fixed_signs(svd: TruncatedSVD) -> TruncatedSVD:
    """The same triplets, with signs by a rule.

    The entry of largest magnitude of each row of `vt` is positive.

    A triplet (u_i, s_i, v_i) is as good as (-u_i, s_i, -v_i), and which of the
    two an eigensolver returns differs between methods, platforms and nearly
    equal matrices. Whatever is not the same for both needs a rule, as
    scikit-learn's `svd_flip`: coefficients that a network reads, for example.

    The signs are constants of derivatives. The rule has no memory: where two
    entries of a row have nearly the largest magnitude, a small change of the
    matrix can change the sign.

    Args:
        svd: factors `u` (..., m, k), `s` (..., k) and `vt` (..., k, n); rows of
            `u` may be on several devices.

    Example:
        >>> u, s, vt = fixed_signs(truncated_svd(a, 8))
        >>> coefficients = u * s
    """
    where = jnp.argmax(jnp.abs(svd.vt), axis=-1, keepdims=True)
    negative = jnp.take_along_axis(svd.vt, where, axis=-1) < 0  # (..., k, 1)
    return TruncatedSVD(jnp.where(negative.mT, -svd.u, svd.u), svd.s, jnp.where(negative, -svd.vt, svd.vt))
