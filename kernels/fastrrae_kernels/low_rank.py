"""`low_rank`: the best approximation of a given rank, with derivatives that ties cannot hurt."""

from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from .active_rank import leading_part
from .arguments import Problem, prepare
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
    """The matrix of at most the given rank that is nearest to `a` (Eckart and Young): the truncated SVD, multiplied.

    Args, accepted types and errors are those of `truncated_svd`; the result has the shape, type and sharding of `a`.

    Derivatives, of any order and in both modes, are exact as long as the last kept singular value is larger than the
    first discarded one, however many of the kept ones are equal: nothing is divided by a difference of two kept
    values. At a tie across that boundary there is no derivative; what is returned there is finite.
    """
    problem = prepare(a, start, active_rank, Options(rank, method, axis_name, backend))
    (y,) = results_of(problem, (1,), lambda d, kept: (_product(d, kept),))
    return _as_given(problem, y)


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
    """`(low_rank(a, rank), truncated_svd(a, rank))` for one decomposition, each with its own derivatives."""
    problem = prepare(a, start, active_rank, Options(rank, method, axis_name, backend))
    both = lambda d, kept: (_product(d, kept), *factors_of(axis_name, d, kept))  # noqa: E731
    y, *factors = results_of(problem, (1, *DEGREES), both)
    return _as_given(problem, y), factors_as_given(problem, *factors)


def _as_given(problem: Problem, y: Array) -> Array:
    """In the orientation and type of the input."""
    return (y.mT if problem.transposed else y).astype(problem.dtype)


@full_precision
def _product(d: Subspaces, kept: Array | None) -> Array:
    return d.u @ (d.core if kept is None else leading_part(d.core, kept)) @ d.vt
