"""`low_rank`: the best approximation of a given rank, with derivatives that ties cannot hurt."""

from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from .active_rank import kept_of, leading_part
from .backends import Backend
from .conditioning import Problem
from .matrices import matmul, transpose
from .methods import AUTO, Method
from .subspaces import Subspaces, leading_subspaces
from .svd import TruncatedSVD, factors_of


def low_rank(
    a: Float[ArrayLike, "*batch m n"],
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
    problem, d = leading_subspaces(a, rank, method, axis_name, start, backend)
    return product_of(problem, d, active_rank)


def low_rank_and_svd(
    a: Float[ArrayLike, "*batch m n"],
    rank: int,
    *,
    method: Method = AUTO,
    axis_name: str | None = None,
    start: Float[ArrayLike, "*batch j n"] | None = None,
    active_rank: ArrayLike | None = None,
    backend: Backend = "auto",
) -> tuple[Float[Array, "*batch m n"], TruncatedSVD]:
    """`(low_rank(a, rank), truncated_svd(a, rank))` for one decomposition, each with its own derivatives."""
    problem, d = leading_subspaces(a, rank, method, axis_name, start, backend)
    return product_of(problem, d, active_rank), factors_of(problem, d, active_rank)


def product_of(problem: Problem, d: Subspaces, active_rank: ArrayLike | None) -> Array:
    """The approximation that leading subspaces stand for, in the units, orientation and type of the input."""
    kept = kept_of(active_rank, d.core.shape[-1], d.core.dtype)
    core = d.core if kept is None else leading_part(d.core, kept)
    y = matmul(matmul(d.u, core * problem.scale), d.vt)
    return (transpose(y) if problem.transposed else y).astype(problem.dtype)
