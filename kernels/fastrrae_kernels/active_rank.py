"""A rank that is data: of the `rank` triplets that a decomposition has, only the leading `active_rank` are kept.

Shapes, and so compiled programs, stay those of `rank`. Truncating a truncation is truncating once: all happens in the
small `core` (k x k) between the singular subspaces, and derivatives are as exact as theirs.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from .matrices import diagonal, full_precision, identity_like
from .shifted_systems import safe_inverse, tie_tolerance


def active_rank_for(
    s: Array,
    *,
    rtol: float = 0.0,
    energy: float = 1.0,
    total: Array | None = None,
    multiplet: float | None = None,
) -> Array:
    """The number of singular values that a truncation by tolerance keeps.

    Args:
        s: singular values (..., k) in descending order; may be traced.
        rtol: values up to `rtol * s_1` are discarded, and zeros.
        energy: the values that are kept have at least this share of `total`, if
            there are as many; 1: all.
        total: the sum of the squares of all singular values, which is that of
            the squares of all entries of the matrix; None: of those in `s`.
        multiplet: values that differ from their neighbour by at most this share
            of the larger one are a group, which is kept whole. A group that
            reaches the last value of `s` counts as whole: give one value more
            than is wanted to see whether it goes on. None: groups may be cut.

    Returns:
        An `active_rank` for `truncated_svd` and `low_rank`: int32 (...).

    Raises:
        ValueError: `rtol` or `energy` is not between 0 and 1, or `multiplet` is
            negative.

    Example:
        >>> count = active_rank_for(truncated_svd(a, 16).s, rtol=1e-3)
        >>> y = low_rank(a, 16, active_rank=count)
    """
    for name, value in (("rtol", rtol), ("energy", energy)):
        if not 0 <= value <= 1:
            raise ValueError(f"`{name}` must be between 0 and 1; got {value}")
    if multiplet is not None and multiplet < 0:
        raise ValueError(f"`multiplet` must be at least 0, or None; got {multiplet}")
    s = lax.stop_gradient(jnp.asarray(s))
    largest = jnp.where(s[..., :1] > 0, s[..., :1], 1)
    x, number = s / largest, jnp.arange(1, s.shape[-1] + 1, dtype=jnp.int32)
    kept = (x > rtol) & (x > 0)
    if energy < 1:
        whole = jnp.sum(x**2, -1) if total is None else jnp.asarray(total, s.dtype) / largest[..., 0] / largest[..., 0]
        before = jnp.cumsum(x**2, -1) - x**2
        kept &= before < energy * whole[..., None]
    count = jnp.sum(kept, axis=-1, dtype=jnp.int32)
    if multiplet is None:
        return count
    apart = x[..., :-1] - x[..., 1:] > multiplet * x[..., :-1]
    last = jnp.concatenate([apart, jnp.ones_like(x[..., :1], bool)], -1)  # of a group
    allowed = last & (number >= count[..., None])
    return jnp.where(count > 0, jnp.argmax(allowed, axis=-1).astype(jnp.int32) + 1, 0)


@full_precision
def leading_part(core: Array, kept: Array) -> Array:
    """The truncation of `core` (..., k, k), which is diagonal with descending entries, to the triplets that are kept.

    Its derivative is that of the truncation of a full matrix: only differences of kept and other entries are divided
    by, never of two that are kept.
    """
    # Inside `shard_map`, as different among devices as `core`: `custom_linear_solve` does not see to that.
    kept = kept * jnp.ones_like(diagonal(core))
    rotation_u, blocks, rotation_v = _split(core, kept)
    inside = blocks * kept[..., :, None] * kept[..., None, :]
    return rotation_u @ inside @ rotation_v.mT


class _Split(NamedTuple):
    """`core = rotation_u blocks rotation_v^T`: orthogonal rotations, no entry of `blocks` between kept and others."""

    rotation_u: Array  # (..., k, k): the identity, with the derivative of a rotation out of the kept span
    blocks: Array  # (..., k, k): `core`
    rotation_v: Array  # (..., k, k)


@jax.custom_jvp
def _split(core: Array, kept: Array) -> _Split:
    del kept
    identity = identity_like(core)
    return _Split(identity, core, identity)


@_split.defjvp
@full_precision
def _split_jvp(primals, tangents):
    """With `e = rotation_u^T dcore rotation_v`: `drotation_u = rotation_u (x - x^T)`, `drotation_v` the same with y,
    `dblocks` is e within the two blocks, and x and y, whose rows are others and whose columns are kept, solve

        x kept - discarded y = e,      y kept^T - discarded^T x = e^T.
    """
    (core, kept), (dcore, _) = primals, tangents
    split = _split(core, kept)
    e = split.rotation_u.mT @ dcore @ split.rotation_v
    x, y = _leave_kept_span(split.blocks, kept, (_crossing(kept, e), _crossing(kept, e.mT)))
    within = e - _crossing(kept, e) - _crossing(kept, e.mT).mT
    return split, _Split(split.rotation_u @ (x - x.mT), within, split.rotation_v @ (y - y.mT))


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
        left = x @ inside - outside @ y
        right = y @ inside.mT - outside.mT @ x
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
