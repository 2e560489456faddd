"""`low_rank`: the best approximation of a given rank, with derivatives that ties cannot hurt."""

from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from .conditioning import condition
from .matrices import matmul, transpose
from .methods import AUTO, Method
from .subspaces import leading_subspaces


def low_rank(
    a: Float[ArrayLike, "*batch m n"],
    rank: int,
    *,
    method: Method = AUTO,
    axis_name: str | None = None,
    start: Float[ArrayLike, "*batch j n"] | None = None,
) -> Float[Array, "*batch m n"]:
    """The matrix of at most the given rank that is nearest to `a` (Eckart and Young): the truncated SVD, multiplied.

    Args, accepted types and errors are those of `truncated_svd`; the result has the shape, type and sharding of `a`.

    Derivatives, of any order and in both modes, are exact as long as the last kept singular value is larger than the
    first discarded one, however many of the kept ones are equal: nothing is divided by a difference of two kept
    values. At a tie across that boundary there is no derivative; what is returned there is finite.
    """
    problem = condition(a, rank, method, axis_name, start)
    d = leading_subspaces(problem.method, rank, axis_name, problem.matrix, problem.start)
    y = matmul(matmul(d.u, d.core * problem.scale), d.vt)
    return (transpose(y) if problem.transposed else y).astype(problem.dtype)
