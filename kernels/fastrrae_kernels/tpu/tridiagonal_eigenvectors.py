"""Eigenvectors of tridiagonal matrices, a lane for each, in vector memory (Pallas).

Eigenvalues by bisection on the number of negative pivots (Golub and Van Loan, section 8.4.1). Vectors by twisted
factorisation (Dhillon and Parlett 2004): pivots of `t - x` from the top and from the bottom meet in the row where the
residual is least, and the vector unrolls from there. All by recurrences over the rows, which serve all eigenvalues at
once. Where neighbours are closer than rounding, vectors are not orthogonal: that is for the caller to mend.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array, lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu

from .back_transformation import transform_back
from .pallas_call import Interpret, for_each_matrix, matrices_together, matrix_part, reciprocal, row_part
from .tridiagonal import Tridiagonal, column

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
    count, _, d = t.diagonal.shape
    together = matrices_together(count, d)
    numbers = [(together, rows, d) for rows in (d, d + 8, d + 8, d)]
    vectors, values, passes = for_each_matrix(
        _kernel,
        [(t.diagonal, row_part(d)), (t.off_diagonal, row_part(d))],
        [matrix_part(d), row_part(d), row_part(1, jnp.int32)],
        [pltpu.VMEM(shape, jnp.float32) for shape in (*numbers, *((together, d, d),) * 2)],
        flops=5 * 8 * TYPICAL_MULTISECTIONS * d * d + 20 * d * d,
        name="tridiagonal_eigenvectors",
        interpret=interpret,
        together=together,
    )
    return Eigenvectors(transform_back(t.reflections, vectors, interpret=interpret), values, passes[:, 0, 0])


class _Rows(NamedTuple):
    """The rows of m matrices: each number is all over a row (m, 1, d), as the recurrences need it."""

    diagonal_ref: Any  # (m, d, d)
    before_ref: Any  # (m, d + 8, d), the entry before the diagonal; zeros from row d on
    squares_ref: Any  # likewise, its square
    own_ref: Any  # (m, d, d), of each eigenvalue whether the row is in its block: 1 or 0

    def pivot(self, i: Array | int, x: Array, last: Array) -> Array:
        """The pivot of `t - x` in row i, from that in row i - 1."""
        return _pivot(self.diagonal_ref[:, pl.ds(i, 1), :], x, self.squares_ref[:, pl.ds(i, 1), :], last)

    def pivot_from_below(self, i: Array | int, x: Array, last: Array) -> Array:
        """The pivot of `t - x` in row i, from that in row i + 1."""
        return _pivot(self.diagonal_ref[:, pl.ds(i, 1), :], x, self.squares_ref[:, pl.ds(i + 1, 1), :], last)


def _kernel(
    diagonal_ref,
    off_diagonal_ref,
    vectors_ref,
    values_ref,
    passes_ref,
    all_diagonal_ref,
    before_ref,
    squares_ref,
    own_ref,
    top_ref,
    bottom_ref,
) -> None:
    """Of m matrices: diagonal (m, 1, d), off_diagonal (m, 1, d) -> vectors (m, d, d), values (m, 1, d), passes
    (m, 1, 1).

    By way of `_Rows`, and the pivots from the top and from the bottom (m, d, d), rows by eigenvalues.
    """
    rows = _Rows(all_diagonal_ref, before_ref, squares_ref, own_ref)
    blocks, bounds = _split(diagonal_ref[...], off_diagonal_ref[...], rows)
    values, passes_ref[...] = _multisect(rows, blocks, bounds)
    values_ref[...] = values
    twist = _factor(rows, values, top_ref, bottom_ref)
    _unroll(rows, top_ref, bottom_ref, twist, vectors_ref)


def _split(diagonal: Array, off_diagonal: Array, rows: _Rows) -> tuple[Array, tuple[Array, Array]]:
    """Cut the matrices where they are coupled by rounding errors alone; of each eigenvalue the first row of its block,
    and Gershgorin's bounds, (m, 1, d).
    """
    matrices, _, d = diagonal.shape
    lane = lax.broadcasted_iota(jnp.int32, diagonal.shape, 2)
    row = lax.broadcasted_iota(jnp.int32, (matrices, d, d), 1)
    size = jnp.abs(diagonal)
    cut = jnp.abs(off_diagonal) <= NEGLIGIBLE * (size + jnp.where(lane < d - 1, _shifted(size, -1), size))
    after = jnp.where(cut, 0, off_diagonal)
    before = jnp.where(lane > 0, _shifted(after, 1), 0)
    ends = jnp.broadcast_to(column(cut.astype(jnp.float32)), row.shape) > 0
    blocks = jnp.max(jnp.where(ends & (row < lane), row + 1, 0), axis=1, keepdims=True)
    own = jnp.broadcast_to(column(blocks.astype(jnp.float32)), row.shape) == blocks.astype(jnp.float32)
    radius = jnp.abs(before) + jnp.abs(after)
    low = jnp.min(jnp.where(own, column(diagonal - radius), jnp.inf), axis=1, keepdims=True)
    high = jnp.max(jnp.where(own, column(diagonal + radius), -jnp.inf), axis=1, keepdims=True)
    rows.diagonal_ref[...] = jnp.broadcast_to(column(diagonal), row.shape)
    rows.own_ref[...] = own.astype(jnp.float32)
    for ref, number in ((rows.before_ref, before), (rows.squares_ref, before * before)):
        ref[:, :d, :] = jnp.broadcast_to(column(number), row.shape)
        ref[:, d:, :] = jnp.zeros((matrices, ref.shape[1] - d, d), jnp.float32)
    margin = NEGLIGIBLE * (high - low)
    return blocks, (low - margin, high + margin)


def _shifted(x: Array, by: int) -> Array:
    """Numbers `by` places further on in a row (m, 1, d), those at its end at its beginning."""
    return jnp.concatenate([x[..., -by:], x[..., :-by]], axis=2)


def _multisect(rows: _Rows, blocks: Array, bounds: tuple[Array, Array]) -> tuple[Array, Array]:
    """Eigenvalues (m, 1, d), and how many passes they took (m, 1, 1).

    Lane j gets number `j - first` of the block that begins at row `first` and has row j. A matrix that is done stays as
    it is while others are not.
    """
    matrices, _, d = blocks.shape
    number = (lax.broadcasted_iota(jnp.int32, blocks.shape, 2) - blocks).astype(jnp.float32)
    share = (1 + lax.broadcasted_iota(jnp.int32, (matrices, 8, d), 1)).astype(jnp.float32) / 9
    finest = FINEST * jnp.maximum(jnp.abs(bounds[0]), jnp.abs(bounds[1]))

    def unfinished(low, high, passes):
        wide = high - low > RESOLVED * jnp.maximum(jnp.maximum(jnp.abs(low), jnp.abs(high)), finest)
        widest = jnp.max(wide.astype(jnp.float32), axis=2, keepdims=True)
        return jnp.where(passes < MOST_MULTISECTIONS, widest, 0) > 0

    def divide(search):
        low, high, passes = search
        going_on = unfinished(low, high, passes)
        x = low + (high - low) * share
        beyond = _count_below(rows, x) > number
        higher = jnp.max(jnp.where(beyond, low, x), axis=1, keepdims=True)
        lower = jnp.min(jnp.where(beyond, x, high), axis=1, keepdims=True)
        low, high = jnp.where(going_on, higher, low), jnp.where(going_on, lower, high)
        return low, high, passes + going_on.astype(jnp.int32)

    start = (*bounds, jnp.zeros((matrices, 1, 1), jnp.int32))
    any_unfinished = lambda search: jnp.max(unfinished(*search).astype(jnp.float32)) > 0  # noqa: E731
    low, high, passes = lax.while_loop(any_unfinished, divide, start)
    return (low + high) / 2, passes


def _count_below(rows: _Rows, x: Array) -> Array:
    """How many eigenvalues of its block are below each x (m, 8, d): as many as there are negative pivots of `t - x`.

    The pivots from the top and from the bottom are independent of each other until they meet in the middle row.
    """
    d = x.shape[2]
    middle = d // 2

    def negative(i, pivot):
        return jnp.where(pivot < 0, rows.own_ref[:, pl.ds(i, 1), :], 0)

    def both(step, carry):
        top, bottom, count = carry
        i, j = step, d - 1 - step
        top, bottom = rows.pivot(i, x, top), rows.pivot_from_below(j, x, bottom)
        return top, bottom, count + (negative(i, top) + negative(j, bottom))

    ones = jnp.ones_like(x)
    top, bottom, count = lax.fori_loop(0, d - 1 - middle, both, (ones, ones, jnp.zeros_like(x)))
    for i in range(d - 1 - middle, middle):
        top = rows.pivot(i, x, top)
        count = count + negative(i, top)
    above = rows.pivot_from_below(middle, x, bottom)
    return count + negative(middle, above - _step_down(rows.squares_ref[:, pl.ds(middle, 1), :], top))


def _pivot(diagonal: Array, x: Array, square: Array, last: Array) -> Array:
    """The next pivot of `t - x`."""
    return diagonal - x - _step_down(square, last) + LEAST_PIVOT


def _step_down(square: Array, last: Array) -> Array:
    """What the pivot `last` takes from its neighbour's."""
    return square * reciprocal(last, full_range=False)


def _factor(rows: _Rows, values: Array, top_ref, bottom_ref) -> Array:
    """The pivots from both ends; for each eigenvalue, the row (m, 1, d) of its block with the smallest residual."""
    d = values.shape[2]

    def both(i, pivots):
        j = d - 1 - i
        top, bottom = rows.pivot(i, values, pivots[0]), rows.pivot_from_below(j, values, pivots[1])
        top_ref[:, pl.ds(i, 1), :] = top
        bottom_ref[:, pl.ds(j, 1), :] = bottom
        return top, bottom

    ones = jnp.ones_like(values)
    lax.fori_loop(0, d, both, (ones, ones))
    rest = jnp.abs(top_ref[...] + bottom_ref[...] - (rows.diagonal_ref[...] - values))
    rest = jnp.where(rows.own_ref[...] > 0, rest, jnp.inf)
    row = lax.broadcasted_iota(jnp.int32, rest.shape, 1)
    best = rest <= jnp.min(rest, axis=1, keepdims=True)  # the first of equal ones; none where there is NaN
    return jnp.min(jnp.where(best, row, d), axis=1, keepdims=True)


def _unroll(rows: _Rows, top_ref, bottom_ref, twist: Array, vectors_ref) -> None:
    """Vectors of length one, from a one in the row `twist` upwards by the pivots from the top, and downwards."""
    d = twist.shape[2]
    zero = jnp.zeros(twist.shape, jnp.float32)

    def both(j, carry):
        above, below, squares = carry
        i = d - 1 - j
        before, after = rows.before_ref[:, pl.ds(j, 1), :], rows.before_ref[:, pl.ds(i + 1, 1), :]
        above = -after * reciprocal(top_ref[:, pl.ds(i, 1), :], full_range=False) * above
        above = jnp.where(i < twist, above, jnp.where(i == twist, 1.0, 0))
        below = -before * reciprocal(bottom_ref[:, pl.ds(j, 1), :], full_range=False) * below
        below = jnp.where(j > twist, below, jnp.where(j == twist, 1.0, 0))
        beyond = jnp.where(j == twist, 0, below)
        vectors_ref[:, pl.ds(i, 1), :] = above
        bottom_ref[:, pl.ds(j, 1), :] = beyond  # its pivots have been used
        return above, below, squares + above * above + beyond * beyond

    squares = lax.fori_loop(0, d, both, (zero, zero, zero))[2]
    vectors_ref[...] = (vectors_ref[...] + bottom_ref[...]) * lax.rsqrt(squares)
