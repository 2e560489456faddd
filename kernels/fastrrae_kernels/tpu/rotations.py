"""Small rotations of an orthonormal basis, all at once: what products of matrices can do of Jacobi's work (Pallas).

Ogita and Aishima (2018): rows that nearly diagonalise a matrix, so that in their basis it is `b` with small entries
beside its diagonal d, are corrected to first order by

    rows + k rows,      k_ij = b_ij / (d_i - d_j),

which is antisymmetric, and needs no more than a product; errors are squared, as by a sweep of rotations. It is nothing
for pairs that are nearly tied. Of those, as many as do not share a row are rotated exactly, by Jacobi's formulas.
"""

from functools import partial
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu

from .pallas_call import Interpret, for_each_matrix, matrix_part, padded_stack, row_part, scalar_part
from .tridiagonal import column

SMALL = 0.1  # tangent of the angle up to which a rotation is one of many, to first order

ROWS = 16  # of the matrix at a time

MOST_OF_A_ROW = 0.3  # length of a row of k: rotations that share a row must not add up to a large one

COUPLED = 2.0**-18  # of off-diagonal entries of two kept rows, relative to these: cosines between rows of `vt`

TURNED = 2.0**-17  # the tangent of a kept row and a discarded one

# Of entries of two discarded rows, relative to how far below the kept ones these are: an error of derivatives, which
# divide by that.
COUPLED_DISCARDED = 2.0**-12

RESOLVED = 4e-7  # of what a rotation would move a singular value by, relative to the largest; 2e-6 are promised

NOISE = 2.0**-24  # of all entries, relative to the larger of the two rows and to the largest: by rounding of products

TIED = 2.0**-19  # a discarded value this near to a kept one is tied with it: there is no derivative

ROUNDING = 3e-6  # kept rows this small, relative to the largest, are rounding errors: not better than discarded ones

BEFORE_CROWDS = 5e-3  # the tangents of kept and discarded rows that leave the discarded block as it is


class Rotations(NamedTuple):
    """What to do about a matrix that is nearly diagonal."""

    turn: Array  # (..., d, d), orthogonal to first order; the new rows are `turn rows`
    values: Array  # (..., d), the diagonal
    proved: Array  # (...), that there is nothing to do
    crowded: Array  # (...), that there are more near ties among the discarded rows than can be rotated at once
    ready: Array  # (...), that nothing large is left between these and the kept rows


def rotations(b: Array, rank: int, floor: float, *, interpret: Interpret = False) -> Rotations:
    """How to rotate the rows in whose basis a matrix is `b` (..., d, d); the `rank` largest of them are to be kept.

    Args:
        b: positive semidefinite.
        rank: the other rows are discarded: how they are rotated matters to their singular values, and to the
            derivatives of the kept ones. Rows are sorted, or nearly so.
        floor: see `jacobi_eigh`; of `b_11`.
        interpret: run the kernel on any platform, for tests.
    """
    d = b.shape[-1]
    size = -(-d // ROWS) * ROWS
    turn, values, verdict = for_each_matrix(
        partial(_kernel, rank, floor**0.5),
        [(padded_stack(b, size), matrix_part(size))],
        [matrix_part(size), row_part(size), scalar_part(3, jnp.int32)],
        [*(pltpu.VMEM(shape, jnp.float32) for shape in ((_OF_ROWS, size), (size, _OF_ROWS), (2, size), (size, 2)))],
        flops=80 * size * size,
        name="rotations",
        interpret=interpret,
    )
    proved, crowded, ready = (verdict[:, 0, i].reshape(b.shape[:-2]) != 0 for i in range(3))
    values = values[:, 0, :d].reshape(b.shape[:-1])
    return Rotations(turn[:, :d, :d].reshape(b.shape), values, proved, crowded, ready)


class _OfRow(NamedTuple):
    """Numbers of each row of the matrix, as rows (1, d) or as columns (ROWS, 1)."""

    value: Array  # on the diagonal
    s: Array  # its root
    scale: Array  # at least the floor's
    below: Array  # for discarded rows, the root of how far they are below the kept ones; -1 for kept ones


_OF_ROWS = len(_OfRow._fields)


def _kernel(
    rank, least, b_ref, turn_ref, values_ref, verdict_ref, row_ref, column_ref, most_row_ref, most_column_ref
) -> None:
    """b (1, d, d) -> turn (1, d, d), values (1, 1, d), verdict (1, 1, 3): proved, crowded, ready.

    By way of what belongs to a row of the matrix, along the lanes (4, d) and along the sublanes (d, 4); and so for the
    largest rotation of each and for the share of the small ones that is made, (2, d) and (d, 2).
    """
    top = _describe_rows(rank, least, b_ref, row_ref, column_ref)
    values_ref[0] = row_ref[0:1, :]
    verdict_ref[0, 0, 0], crowded, ready = _judge(rank, top, b_ref, turn_ref, row_ref, column_ref)
    verdict_ref[0, 0, 1], verdict_ref[0, 0, 2] = crowded, ready
    _measure(rank, crowded, turn_ref, most_row_ref, most_column_ref)
    _choose(turn_ref, most_row_ref, most_column_ref)


def _describe_rows(rank: int, least: float, b_ref, row_ref, column_ref) -> Array:
    """Write the numbers of each row; the largest of the roots."""
    d = b_ref.shape[-1]

    def add(block, diagonal):
        here = pl.ds(block * ROWS, ROWS)
        row, lane = _places(block, d)
        return diagonal + jnp.sum(jnp.where(row == lane, b_ref[0, here, :], 0), axis=0, keepdims=True)

    value = jnp.maximum(lax.fori_loop(0, d // ROWS, add, jnp.zeros((1, d), jnp.float32)), 0)
    s = jnp.sqrt(value)
    top = jnp.max(s)
    column_ref[:, 0:1] = column(value)

    def count(block, larger):
        row, lane = _places(block, d)
        other = column_ref[pl.ds(block * ROWS, ROWS), 0:1]
        before = (other > value) | ((other == value) & (row < lane))
        return larger + jnp.sum(jnp.where(before, 1.0, 0), axis=0, keepdims=True)

    larger = lax.fori_loop(0, d // ROWS, count, jnp.zeros((1, d), jnp.float32))
    kept = (larger < rank) & (s >= ROUNDING * top)
    smallest = jnp.min(jnp.where(kept, s, top))
    below = jnp.where(kept, -1.0, jnp.sqrt(jnp.maximum(smallest * smallest - value, TIED * smallest * top)))
    for i, x in enumerate(_OfRow(value, s, jnp.maximum(s, least * top), below)):
        row_ref[pl.ds(i, 1), :] = x
        column_ref[:, i : i + 1] = column(x)
    return top


def _judge(rank: int, top: Array, b_ref, turn_ref, row_ref, column_ref) -> tuple[Array, Array, Array]:
    """Write the tangents of what can be rotated; the verdict, by whether the rest does harm."""
    d = b_ref.shape[-1]
    of_lane = _OfRow(*(row_ref[pl.ds(i, 1), :] for i in range(_OF_ROWS)))

    def judge(block, carry):
        """Write the tangents of one block of rows, and add its harm, its large angles and its largest to `carry`."""
        harm, large, across = carry
        here = pl.ds(pl.multiple_of(block * ROWS, ROWS), ROWS)
        of_row = _OfRow(*(column_ref[here, i : i + 1] for i in range(_OF_ROWS)))
        row, lane = _places(block, d)
        off = jnp.where(row == lane, 0, b_ref[0, here, :])
        tangent = _tangents(off, of_row.value - of_lane.value, row < lane)
        size, angle = jnp.abs(off), jnp.abs(tangent)
        limits = _limits(size, angle, of_row, of_lane, top)
        harmless = size <= limits  # not so of NaN
        crowding = (row >= rank) & (lane >= rank) & (angle > SMALL) & ~harmless
        tangent = jnp.where(size > limits / 8, tangent, 0)
        turn_ref[0, here, :] = tangent
        apart = (row < rank) & (lane >= rank)
        return (
            jnp.where(harmless, harm, 1),
            jnp.where(crowding, large + 1, large),
            jnp.where(apart, jnp.maximum(across, jnp.abs(tangent)), across),
        )

    none = jnp.zeros((ROWS, d), jnp.float32)
    harm, large, across = lax.fori_loop(0, d // ROWS, judge, (none, none, none))
    large = jnp.sum(large, axis=0, keepdims=True)
    crowded = jnp.sum(large) > 2 * jnp.sum(jnp.where(large > 0, 1.0, 0))
    proved, ready = jnp.max(harm) == 0, jnp.max(across) <= BEFORE_CROWDS
    return proved.astype(jnp.int32), crowded.astype(jnp.int32), ready.astype(jnp.int32)


def _places(block: Array, d: int) -> tuple[Array, Array]:
    """The row and the column of each entry of a block of rows (ROWS, d)."""
    row, lane = (lax.broadcasted_iota(jnp.int32, (ROWS, d), axis) for axis in (0, 1))
    return row + block * ROWS, lane


def _tangents(off: Array, gap: Array, first: Array) -> Array:
    """Tangents of the angles, up to 45 degrees, that make `off` vanish, for a `gap` between the diagonal entries.

    Without one, the sign depends on which row comes `first`.
    """
    root = jnp.sqrt(gap * gap + 4 * off * off)
    divisor = jnp.where((gap > 0) | ((gap == 0) & first), gap + root, gap - root)
    return jnp.where(divisor == 0, 0, 2 * off / jnp.where(divisor == 0, 1, divisor))


def _limits(size: Array, angle: Array, row: _OfRow, lane: _OfRow, top: Array) -> Array:
    """Up to which `size` (ROWS, d) off-diagonal entries do no harm, if rotating them takes an `angle`.

    By that the rows would turn, and the smaller of the two values move by their product.
    """
    both = COUPLED * row.scale * lane.scale
    per_angle = 1 / jnp.maximum(angle, 1e-30)
    resolved = RESOLVED * top * per_angle * jnp.maximum(jnp.minimum(row.s, lane.s), 1e-6 * top)
    one = jnp.maximum(jnp.minimum(TURNED * per_angle * size, resolved), both)
    none = jnp.maximum(jnp.minimum(COUPLED_DISCARDED * row.below * lane.below, resolved), both)
    kept, other = row.below < 0, lane.below < 0
    limits = jnp.where(kept & other, both, jnp.where(kept | other, one, none))
    return jnp.maximum(limits, NOISE * top * jnp.maximum(row.s, lane.s))


def _weights(tangent: Array, row: Array, lane: Array) -> Array:
    """By which rotations larger than SMALL are chosen; all different, though many angles may be 45 degrees."""
    different = ((row * row + lane * lane) * 77 & 255).astype(jnp.float32) / 1024 + 1
    return jnp.where(jnp.abs(tangent) > SMALL, jnp.abs(tangent) * different, 0)


def _measure(rank: int, crowded: Array, turn_ref, most_row_ref, most_column_ref) -> None:
    """Leave crowded rows alone; write the largest weight of each row, and the share of its small rotations."""
    d = turn_ref.shape[-1]

    def add(block, carry):
        weight, squares = carry
        here = pl.ds(pl.multiple_of(block * ROWS, ROWS), ROWS)
        row, lane = _places(block, d)
        tangent = turn_ref[0, here, :]
        tangent = jnp.where((row >= rank) & (lane >= rank) & (crowded != 0), 0, tangent)
        turn_ref[0, here, :] = tangent
        small = jnp.where(jnp.abs(tangent) <= SMALL, tangent, 0)
        return jnp.maximum(weight, _weights(tangent, row, lane)), squares + small * small

    none = jnp.zeros((ROWS, d), jnp.float32)
    weight, squares = lax.fori_loop(0, d // ROWS, add, (none, none))
    length = jnp.sqrt(jnp.sum(squares, axis=0, keepdims=True))
    share = MOST_OF_A_ROW / jnp.maximum(length, MOST_OF_A_ROW)
    for i, x in enumerate((jnp.max(weight, axis=0, keepdims=True), share)):
        most_row_ref[pl.ds(i, 1), :] = x
        most_column_ref[:, i : i + 1] = column(x)


def _choose(turn_ref, most_row_ref, most_column_ref) -> None:
    """From tangents to rotations: of large ones those that share no row, of small ones as many as fit."""
    d = turn_ref.shape[-1]

    def choose(block, carry):
        here = pl.ds(pl.multiple_of(block * ROWS, ROWS), ROWS)
        row, lane = _places(block, d)
        tangent = turn_ref[0, here, :]
        weight = _weights(tangent, row, lane)
        most = 0.9999 * jnp.maximum(most_row_ref[0:1, :], most_column_ref[here, 0:1])  # not symmetric to the last bit
        large = jnp.where((weight > 0) & (weight >= most), tangent, 0)
        cosine = lax.rsqrt(1 + jnp.sum(large * large, axis=1, keepdims=True))
        share = jnp.minimum(most_row_ref[1:2, :], most_column_ref[here, 1:2])
        small = jnp.where(jnp.abs(tangent) <= SMALL, tangent, 0) * share
        turn_ref[0, here, :] = jnp.where(row == lane, cosine, cosine * large + small)
        return carry

    lax.fori_loop(0, d // ROWS, choose, 0)
