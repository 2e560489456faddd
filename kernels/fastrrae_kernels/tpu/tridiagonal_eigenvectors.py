"""Eigenvectors of tridiagonal matrices, a lane for each, in vector memory (Pallas).

Eigenvalues by bisection on the number of negative pivots (Golub and Van Loan, section 8.4.1). Vectors by twisted
factorisation (Dhillon and Parlett 2004): pivots of `t - x` from the top and from the bottom meet in the row where the
residual is least, and the vector unrolls from there. All by recurrences over the rows, which serve all eigenvalues at
once. Where neighbours are closer than rounding, vectors are not orthogonal: that is for the caller to mend.
"""

from functools import partial
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu

from .back_transformation import transform_back
from .pallas_call import Interpret, for_each_matrix, matrix_part, reciprocal, row_part, scalar_part
from .tridiagonal import Tridiagonal

MOST_MULTISECTIONS = 16  # each divides an interval by nine; 8 resolve the largest eigenvalue

RESOLVED = 2.0**-23  # width of an interval, relative to the eigenvalue in it

FINEST = 2.0**-16  # and, of all blocks of the matrix, to this share of its own largest: far below rounding errors

TYPICAL_MULTISECTIONS = 11  # counted, for estimates of the arithmetic

NEGLIGIBLE = 2.0**-20  # off-diagonal entries, relative to their neighbours on it: eight times the rounding

LEAST_PIVOT = 1e-30  # added to all: no rounding error of entries around one, and never a division by zero


class Eigenvectors(NamedTuple):
    """Of matrices `q t q^T`, unsorted: number j belongs to a block of `t` that has row j."""

    vectors: Array  # (count, d, d), as columns, orthogonal where the values are apart
    values: Array  # (count, 1, d)
    passes: Array  # (count,) int32, of the multisection, that it took


def eigenvectors(t: Tridiagonal, *, interpret: Interpret = False) -> Eigenvectors:
    """Eigenvalues, and vectors that a matrix stretches by them up to rounding errors."""
    d = t.diagonal.shape[-1]
    vectors, values, passes = for_each_matrix(
        _kernel,
        [(t.diagonal, scalar_part(d)), (t.off_diagonal, scalar_part(d))],
        [matrix_part(d), row_part(d), scalar_part(1, jnp.int32)],
        [
            pltpu.SMEM((d + 1,), jnp.float32),
            pltpu.SMEM((d,), jnp.int32),
            *(pltpu.VMEM((d, d), jnp.float32) for _ in range(2)),
        ],
        flops=5 * 8 * TYPICAL_MULTISECTIONS * d * d + 20 * d * d,
        name="tridiagonal_eigenvectors",
        interpret=interpret,
    )
    return Eigenvectors(transform_back(t.reflections, vectors, interpret=interpret), values, passes[:, 0, 0])


def _kernel(
    diagonal_ref, off_diagonal_ref, vectors_ref, values_ref, passes_ref, before_ref, block_ref, top_ref, bottom_ref
) -> None:
    """diagonal (1, 1, d), off_diagonal (1, 1, d) -> vectors (1, d, d), values (1, 1, d), passes (1, 1, 1).

    By way of before (d + 1,), the entry before each row's diagonal one; block (d,), the first row of each row's block;
    and the pivots from the top and from the bottom (d, d), rows by eigenvalues.
    """
    blocks, bounds = _split(diagonal_ref, off_diagonal_ref, before_ref, block_ref)
    values, passes_ref[0, 0, 0] = _multisect(diagonal_ref, before_ref, block_ref, blocks, bounds)
    values_ref[0] = values
    twist = _factor(diagonal_ref, before_ref, block_ref, blocks, values, top_ref, bottom_ref)
    _unroll(before_ref, top_ref, bottom_ref, twist, vectors_ref)


def _split(diagonal_ref, off_diagonal_ref, before_ref, block_ref) -> tuple[Array, tuple[Array, Array]]:
    """Cut the matrix where it is coupled by rounding errors alone; of each lane the block, and Gershgorin's bounds."""
    d = block_ref.shape[0]
    lane = lax.broadcasted_iota(jnp.int32, (1, d), 1)
    before_ref[0] = 0.0

    def place(i, carry):
        """Row i, whose block begins at `first`."""
        first, blocks = carry
        here, next_one = diagonal_ref[0, 0, i], diagonal_ref[0, 0, jnp.minimum(i + 1, d - 1)]
        off_diagonal = off_diagonal_ref[0, 0, i]
        cut = jnp.abs(off_diagonal) <= NEGLIGIBLE * (jnp.abs(here) + jnp.abs(next_one))
        before_ref[i + 1] = jnp.where(cut, 0.0, off_diagonal)
        block_ref[i] = first
        return jnp.where(cut, i + 1, first), jnp.where(lane == i, first, blocks)

    _, blocks = lax.fori_loop(0, d, place, (jnp.int32(0), jnp.zeros_like(lane)))

    def widen(i, bounds):
        here, radius = diagonal_ref[0, 0, i], jnp.abs(before_ref[i]) + jnp.abs(before_ref[i + 1])
        low, high = bounds
        own = blocks == block_ref[i]
        low = jnp.where(own, jnp.minimum(low, here - radius), low)
        return low, jnp.where(own, jnp.maximum(high, here + radius), high)

    infinite = jnp.full((1, d), jnp.inf, jnp.float32)
    low, high = lax.fori_loop(0, d, widen, (infinite, -infinite))
    margin = NEGLIGIBLE * (high - low)
    return blocks, (low - margin, high + margin)


def _multisect(diagonal_ref, before_ref, block_ref, blocks: Array, bounds: tuple[Array, Array]) -> tuple[Array, Array]:
    """Eigenvalues (1, d), and how many passes they took.

    Lane j gets number `j - first` of the block that begins at row `first` and has row j.
    """
    d = block_ref.shape[0]
    number = lax.broadcasted_iota(jnp.int32, (1, d), 1) - blocks
    share = (1 + lax.broadcasted_iota(jnp.int32, (8, d), 0)).astype(jnp.float32) / 9
    below = partial(_count_below, diagonal_ref, before_ref, block_ref, jnp.broadcast_to(blocks, (8, d)))

    def divide(search):
        low, high, step = search
        x = low + (high - low) * share
        beyond = below(x) > number
        low = jnp.max(jnp.where(beyond, low, x), axis=0, keepdims=True)
        return low, jnp.min(jnp.where(beyond, x, high), axis=0, keepdims=True), step + 1

    def unfinished(search):
        low, high, step = search
        wide = high - low > RESOLVED * jnp.maximum(jnp.maximum(jnp.abs(low), jnp.abs(high)), finest)
        return (step < MOST_MULTISECTIONS) & (jnp.max(wide.astype(jnp.float32)) > 0)

    finest = FINEST * jnp.maximum(jnp.abs(bounds[0]), jnp.abs(bounds[1]))
    low, high, passes = lax.while_loop(unfinished, divide, (*bounds, jnp.int32(0)))
    return (low + high) / 2, passes


def _count_below(diagonal_ref, before_ref, block_ref, blocks: Array, x: Array) -> Array:
    """How many eigenvalues of its block are below each x (8, d): as many as there are negative pivots of `t - x`.

    The pivots from the top and from the bottom are independent of each other until they meet in the middle row.
    """
    d = block_ref.shape[0]
    middle = d // 2

    def negative(i, pivot):
        return jnp.where((pivot < 0) & (blocks == block_ref[i]), 1, 0)

    def both(step, carry):
        top, bottom, count = carry
        i, j = step, d - 1 - step
        top = _pivot(diagonal_ref[0, 0, i], x, before_ref[i], top)
        bottom = _pivot(diagonal_ref[0, 0, j], x, before_ref[j + 1], bottom)
        return top, bottom, count + negative(i, top) + negative(j, bottom)

    ones = jnp.ones_like(x)
    top, bottom, count = lax.fori_loop(0, d - 1 - middle, both, (ones, ones, jnp.zeros_like(blocks)))
    for i in range(d - 1 - middle, middle):
        top = _pivot(diagonal_ref[0, 0, i], x, before_ref[i], top)
        count = count + negative(i, top)
    above = _pivot(diagonal_ref[0, 0, middle], x, before_ref[middle + 1], bottom)
    return count + negative(middle, above - _step_down(before_ref[middle], top))


def _pivot(diagonal: Array, x: Array, off_diagonal: Array, last: Array) -> Array:
    """The next pivot of `t - x`."""
    return diagonal - x - _step_down(off_diagonal, last) + LEAST_PIVOT


def _step_down(off_diagonal: Array, last: Array) -> Array:
    """What the pivot `last` takes from its neighbour's."""
    return off_diagonal * off_diagonal * reciprocal(last, full_range=False)


def _factor(diagonal_ref, before_ref, block_ref, blocks: Array, values: Array, top_ref, bottom_ref) -> Array:
    """Pivots from the top and from the bottom; the row (1, d), of its own block, in which they meet best."""
    d = block_ref.shape[0]

    def both(i, pivots):
        j = d - 1 - i
        top = _pivot(diagonal_ref[0, 0, i], values, before_ref[i], pivots[0])
        bottom = _pivot(diagonal_ref[0, 0, j], values, before_ref[j + 1], pivots[1])
        top_ref[pl.ds(i, 1), :] = top
        bottom_ref[pl.ds(j, 1), :] = bottom
        return top, bottom

    def meet(i, best):
        least, twist = best
        rest = jnp.abs(top_ref[pl.ds(i, 1), :] + bottom_ref[pl.ds(i, 1), :] - (diagonal_ref[0, 0, i] - values))
        better = (rest < least) & (blocks == block_ref[i])
        return jnp.where(better, rest, least), jnp.where(better, i, twist)

    ones = jnp.ones_like(values)
    lax.fori_loop(0, d, both, (ones, ones))
    return lax.fori_loop(0, d, meet, (ones * jnp.inf, blocks))[1]


def _unroll(before_ref, top_ref, bottom_ref, twist: Array, vectors_ref) -> None:
    """Vectors of length one, from a one in the row `twist` upwards by the pivots from the top, and downwards."""
    d = top_ref.shape[0]
    zero = jnp.zeros(twist.shape, jnp.float32)

    def both(j, carry):
        above, below, squares = carry
        i = d - 1 - j
        above = -before_ref[i + 1] * reciprocal(top_ref[pl.ds(i, 1), :], full_range=False) * above
        above = jnp.where(i < twist, above, jnp.where(i == twist, 1.0, 0))
        below = -before_ref[j] * reciprocal(bottom_ref[pl.ds(j, 1), :], full_range=False) * below
        below = jnp.where(j > twist, below, jnp.where(j == twist, 1.0, 0))
        beyond = jnp.where(j == twist, 0, below)
        vectors_ref[0, pl.ds(i, 1), :] = above
        bottom_ref[pl.ds(j, 1), :] = beyond  # its pivots have been used
        return above, below, squares + above * above + beyond * beyond

    squares = lax.fori_loop(0, d, both, (zero, zero, zero))[2]
    vectors_ref[0] = (vectors_ref[0] + bottom_ref[...]) * lax.rsqrt(squares)
