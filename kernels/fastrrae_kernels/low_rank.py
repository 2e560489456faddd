"""`low_rank`: the best approximation of a given rank, with derivatives that are exact at repeated values."""

from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from .active_rank import leading_part
from .arguments import prepare
from .decomposition import Backend, Method, Options
from .derivative_rule import Subspaces, results_of
from .matrices import full_precision
from .methods import AUTO
from .operators import LinearOperator
from .svd import DEGREES, TruncatedSVD, factors_as_given, factors_of


@full_precision
def low_rank(
    a: Float[ArrayLike, "*batch m n"] | LinearOperator,
    rank: int,
    *,
    method: Method = AUTO,
    axis_name: str | None = None,
    start: Float[ArrayLike, "*batch j n"] | None = None,
    active_rank: ArrayLike | None = None,
    backend: Backend = "auto",
) -> Float[Array, "*batch m n"]:
    """The best approximation of `a` of the given rank (Eckart and Young).

    It is the truncated SVD, multiplied: `(u * s) @ vt`.

    Args:
        a: as in `truncated_svd`, like all other arguments and errors.
        rank: the largest rank of the result.
        method: how it is computed.
        axis_name: inside `shard_map`, the mesh axis that shards the rows of
            `a`.
        start: for iterative methods, a guess of the row space.
        active_rank: a smaller rank, which may be traced.
        backend: "auto", "xla" or "pallas".

    Returns:
        A matrix with the shape, type and sharding of `a`.

    Derivatives are exact, of any order and in both modes, as long as the last
    kept singular value is larger than the first discarded one. Any number of
    the kept ones may be equal: nothing is divided by a difference of two kept
    values. Where the last kept value equals the first discarded one, there is
    no derivative; the result there is finite.

    Example:
        >>> y = low_rank(a, rank=16)
        >>> gradient = jax.grad(lambda a: low_rank(a, 16).max())(a)
    """
    problem = prepare(a, start, active_rank, Options(rank, method, axis_name, backend))
    (y,) = results_of(problem, (1,), lambda d, kept: (product(problem.transposed, d, kept),))
    return y.astype(problem.dtype)


@full_precision
def low_rank_and_svd(
    a: Float[ArrayLike, "*batch m n"] | LinearOperator,
    rank: int,
    *,
    method: Method = AUTO,
    axis_name: str | None = None,
    start: Float[ArrayLike, "*batch j n"] | None = None,
    active_rank: ArrayLike | None = None,
    backend: Backend = "auto",
) -> tuple[Float[Array, "*batch m n"], TruncatedSVD]:
    """Both `low_rank` and `truncated_svd` from one decomposition.

    Arguments and errors are theirs, and each result has its own derivatives.

    Example:
        >>> y, (u, s, vt) = low_rank_and_svd(a, rank=16)
    """
    problem = prepare(a, start, active_rank, Options(rank, method, axis_name, backend))
    both = lambda d, kept: (product(problem.transposed, d, kept), *factors_of(axis_name, d, kept))  # noqa: E731
    y, *factors = results_of(problem, (1, *DEGREES), both)
    return y.astype(problem.dtype), factors_as_given(problem, *factors)


@full_precision
def product(transposed: bool, d: Subspaces, kept: Array | None) -> Array:
    """The approximation (..., m, n) that leading subspaces stand for, in the orientation of the input."""
    core = d.core if kept is None else leading_part(d.core, kept)
    return d.vt.mT @ (d.u @ core).mT if transposed else d.u @ core @ d.vt
