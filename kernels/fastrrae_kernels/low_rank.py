"""`low_rank`: the best approximation of a given rank, with derivatives that ties cannot hurt."""

from functools import partial

import jax
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from .conditioning import condition
from .matrices import matmul, transpose
from .methods import AUTO, Exact, Gram, Method, resolve_method
from .subspaces import leading_subspaces


def low_rank(a: Float[ArrayLike, "*batch m n"], rank: int, *, method: Method = AUTO) -> Float[Array, "*batch m n"]:
    """The matrix of at most the given rank that is nearest to `a` (Eckart and Young): the truncated SVD, multiplied.

    Args, accepted types and errors are those of `truncated_svd`; the result has the shape and type of `a`.

    Derivatives, of any order and in both modes, are exact as long as the last kept singular value is larger than the
    first discarded one, however many of the kept ones are equal: nothing is divided by a difference of two kept
    values. At a tie across that boundary there is no derivative; what is returned there is finite.
    """
    matrix, scale, dtype = condition(a, rank)
    resolved = resolve_method(method, matrix.dtype)
    if matrix.shape[-2] > matrix.shape[-1]:
        y = transpose(_low_rank_of_wide(resolved, rank, transpose(matrix)))
    else:
        y = _low_rank_of_wide(resolved, rank, matrix)
    return (y * scale).astype(dtype)


@partial(jax.jit, static_argnums=(0, 1))
def _low_rank_of_wide(method: Exact | Gram, rank: int, a: Array) -> Array:
    d = leading_subspaces(method, rank, a)
    return matmul(matmul(d.u, d.core), d.vt)
