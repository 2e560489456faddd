"""`tracked_low_rank_and_svd`: the SVDs of a sequence of matrices, each beginning with the basis of the one before."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike
from jaxtyping import Float

from .arguments import prepare
from .decomposition import Options
from .derivative_rule import Subspaces, results_of
from .low_rank import product
from .matrices import full_precision
from .methods import Tracked
from .svd import DEGREES, TruncatedSVD, factors_as_given, factors_of

TRACKED = Tracked()


class TrackedResults(NamedTuple):
    """What `tracked_low_rank_and_svd` returns."""

    low_rank: Float[Array, "*batch m n"]
    svd: TruncatedSVD
    basis: Float[Array, "*batch j n"]  # for the next matrix: rows, orthonormal or zero; it carries no derivative
    exact: Float[Array, "*batch"]  # 1 where the decomposition is exact, 0 where the old basis was enough


@full_precision
def tracked_low_rank_and_svd(
    a: Float[ArrayLike, "*batch m n"],
    rank: int,
    basis: Float[ArrayLike, "*batch j n"],
    *,
    method: Tracked = TRACKED,
    axis_name: str | None = None,
    active_rank: ArrayLike | None = None,
) -> TrackedResults:
    """`low_rank_and_svd` of a matrix that is much like the one before.

    Args:
        a: as in `truncated_svd`, like `rank`, `axis_name` and `active_rank`.
        rank: how many triplets to keep.
        basis: rows (..., j, n), those that the last call returned, with j =
            `method.block(rank)`. Zeros, as before the first call, ask for an
            exact decomposition.
        method: how far the triplets may be from being exact, see `Tracked`.

    Returns:
        The approximation, its factors, the basis to hand to the next call, and
        whether the decomposition was exact. A stack of matrices is decomposed
        exactly as soon as one of them needs it.

    Raises:
        ValueError, TypeError: as `truncated_svd`.

    Derivatives of the first two are those that `Tracked` describes.

    Example:
        >>> basis = jnp.zeros((Tracked().block(16), 100))
        >>> for a in matrices:  # (576, 100)
        ...     y, svd, basis, exact = tracked_low_rank_and_svd(a, 16, basis)
    """
    if not isinstance(method, Tracked):
        raise TypeError(f"`method` must be Tracked(...); got {method!r}")
    problem = prepare(a, basis, active_rank, Options(rank, method, axis_name))
    rows = jnp.shape(basis)[-2]

    def parts(d: Subspaces, kept: Array | None) -> tuple[Array, ...]:
        assert d.exact is not None
        following = lax.stop_gradient((_following(d, rows), d.exact[..., None, None]))
        return product(problem.transposed, d, kept), *factors_of(axis_name, d, kept), *following

    y, *factors, following, exact = results_of(problem, (1, *DEGREES, 0, 0), parts)
    return TrackedResults(y.astype(problem.dtype), factors_as_given(problem, *factors), following, exact[..., 0, 0])


def _following(d: Subspaces, rows: int) -> Array:
    """As many leading directions (..., rows, n) as that; zeros where one of them is not finite."""
    basis = jnp.concatenate([d.u, d.discarded_u], -1)[..., :rows].mT
    more = rows - basis.shape[-2]
    basis = jnp.pad(basis, [*((0, 0) for _ in basis.shape[:-2]), (0, more), (0, 0)])
    return jnp.where(jnp.all(jnp.isfinite(basis), axis=(-2, -1), keepdims=True), basis, 0)
