"""A rank that is data: of the `rank` triplets that a decomposition has, only the leading `active_rank` are kept.

Shapes, and so compiled programs, stay those of `rank`. Truncating a truncation is truncating once: all happens in the
small `core` (k x k) between the singular subspaces, and derivatives are as exact as theirs.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike

from .matrices import diagonal, matmul, transpose
from .shifted_systems import safe_inverse, tie_tolerance


def kept_of(active_rank: ArrayLike | None, rank: int, dtype: jnp.dtype) -> Array | None:
    """1 for the triplets that are kept and 0 for the others, (..., rank); None where no `active_rank` is given."""
    if active_rank is None:
        return None
    if isinstance(active_rank, int) and not 0 <= active_rank <= rank:
        raise ValueError(f"`active_rank` must be at least 0 and at most `rank` = {rank}; got {active_rank}")
    count = jnp.asarray(active_rank)
    if not jnp.issubdtype(count.dtype, jnp.integer):
        raise TypeError(f"`active_rank` must be an integer or an array of integers; got {count.dtype}")
    return (jnp.arange(rank) < count[..., None]).astype(dtype)


def leading_part(core: Array, kept: Array) -> Array:
    """The truncation of `core` (..., k, k), which is diagonal with descending entries, to the triplets that are kept.

    Its derivative is that of the truncation of a full matrix: only differences of kept and other entries are divided
    by, never of two that are kept.
    """
    turn_u, blocks, turn_v = _split(core, kept)
    inside = blocks * kept[..., :, None] * kept[..., None, :]
    return matmul(matmul(turn_u, inside), transpose(turn_v))


class _Split(NamedTuple):
    """`core = turn_u blocks turn_v^T` with orthogonal turns, and no entry of `blocks` between kept and others."""

    turn_u: Array  # (..., k, k): the identity, with the derivative of a rotation out of the kept span
    blocks: Array  # (..., k, k): `core`
    turn_v: Array  # (..., k, k)


@jax.custom_jvp
def _split(core: Array, kept: Array) -> _Split:
    del kept
    identity = jnp.broadcast_to(jnp.eye(core.shape[-1], dtype=core.dtype), core.shape)
    return _Split(identity, core, identity)


@_split.defjvp
def _split_jvp(primals, tangents):
    """With `e = turn_u^T dcore turn_v`: `dturn_u = turn_u (x - x^T)`, `dturn_v = turn_v (y - y^T)`, `dblocks` is e
    within the two blocks, and x and y, whose rows are others and whose columns are kept, solve

        x kept - others y = e,      y kept^T - others^T x = e^T.
    """
    (core, kept), (dcore, _) = primals, tangents
    split = _split(core, kept)
    e = matmul(matmul(transpose(split.turn_u), dcore), split.turn_v)
    x, y = _leave_kept_span(split.blocks, kept, (_crossing(kept, e), _crossing(kept, transpose(e))))
    within = e - _crossing(kept, e) - transpose(_crossing(kept, transpose(e)))
    turned = matmul(split.turn_u, x - transpose(x)), within, matmul(split.turn_v, y - transpose(y))
    return split, _Split(*turned)


def _crossing(kept: Array, x: Array) -> Array:
    """The entries of `x` whose row is not kept and whose column is."""
    return x * (1 - kept)[..., :, None] * kept[..., None, :]


def _leave_kept_span(blocks: Array, kept: Array, rhs: tuple[Array, Array]) -> tuple[Array, Array]:
    """Solve the two equations of `_split_jvp`. `blocks` is diagonal, but the equation is differentiated as if full."""
    pair = kept[..., :, None] * kept[..., None, :]
    others = (1 - kept)[..., :, None] * (1 - kept)[..., None, :]

    def equations(xy: tuple[Array, Array]) -> tuple[Array, Array]:
        x, y = (_crossing(kept, part) for part in xy)
        inside, outside = blocks * pair, blocks * others
        left = matmul(x, inside) - matmul(outside, y)
        right = matmul(y, transpose(inside)) - matmul(transpose(outside), x)
        return left + (xy[0] - x), right + (xy[1] - y)  # the identity elsewhere makes it invertible

    s = diagonal(lax.stop_gradient(blocks))
    tie = tie_tolerance(s)
    large, small = s[..., None, :], s[..., :, None]
    inverse = safe_inverse(large - small, tie) * safe_inverse(large + small, tie)

    def solve(_, b: tuple[Array, Array]) -> tuple[Array, Array]:
        left, right = (_crossing(kept, part) for part in b)
        x, y = (large * left + small * right) * inverse, (large * right + small * left) * inverse
        return x + (b[0] - left), y + (b[1] - right)

    return lax.custom_linear_solve(equations, rhs, solve, solve)
