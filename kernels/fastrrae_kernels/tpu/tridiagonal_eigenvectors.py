"""Eigenvectors of tridiagonal matrices, a lane for each, in vector memory (Pallas).

Eigenvalues by bisection on the number of negative pivots (Golub and Van Loan, section 8.4.1). Vectors by twisted
factorisation (Dhillon and Parlett 2004): pivots of `t - x` from the top and from the bottom meet in the row where the
residual is least, and the vector unrolls from there. All by recurrences over the rows, which serve all eigenvalues at
once. Where neighbours are closer than rounding, vectors are not orthogonal: that is for the caller to mend.
"""

import jax.numpy as jnp
from jax import Array, lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu

from .pallas_call import Interpret, for_each_matrix, matrix_part, scalar_part
from .tridiagonal import Tridiagonal, column, stages

# Each halves an interval. 24 resolve the largest eigenvalue; the others resolve a block of the matrix whose entries
# are all as small as the rounding of the largest.
BISECTIONS = 50

NEGLIGIBLE = 2.0**-20  # entries beside the diagonal, relative to their neighbours on it: eight times the rounding

LEAST_PIVOT = 1e-30


def eigenvectors(t: Tridiagonal, *, interpret: Interpret = False) -> Array:
    """Vectors (count, d, d), as columns, that the matrices `q t q^T` stretch by about a number each; unsorted."""
    d = t.diagonal.shape[-1]
    back = sum(4 * (last - first) * (d - first) * d for first, last in stages(d))
    (vectors,) = for_each_matrix(
        _kernel,
        [(t.diagonal, scalar_part(d)), (t.beside, scalar_part(d)), (t.reflections, matrix_part(d))],
        [matrix_part(d)],
        [
            pltpu.SMEM((d + 1,), jnp.float32),
            pltpu.SMEM((d,), jnp.int32),
            *(pltpu.VMEM((d, d), jnp.float32) for _ in range(2)),
        ],
        flops=5 * BISECTIONS * d * d + 20 * d * d + back,
        name="tridiagonal_eigenvectors",
        interpret=interpret,
    )
    return vectors


def _kernel(diagonal_ref, beside_ref, reflections_ref, vectors_ref, before_ref, block_ref, top_ref, bottom_ref) -> None:
    """diagonal (1, 1, d), beside (1, 1, d), reflections (1, d, d) -> vectors (1, d, d).

    By way of before (d + 1,), the entry before each row's diagonal one; block (d,), the first row of each row's block;
    and the pivots from the top and from the bottom (d, d), rows by eigenvalues.
    """
    blocks, bounds = _split(diagonal_ref, beside_ref, before_ref, block_ref)
    values = _bisect(diagonal_ref, before_ref, block_ref, blocks, bounds)
    twist = _factor(diagonal_ref, before_ref, block_ref, blocks, values, top_ref, bottom_ref)
    _unroll(before_ref, top_ref, bottom_ref, twist, vectors_ref)
    _reflect_back(reflections_ref, vectors_ref)


def _split(diagonal_ref, beside_ref, before_ref, block_ref) -> tuple[Array, tuple[Array, Array]]:
    """Cut the matrix where it is coupled by rounding errors alone; the block of each lane, and Gershgorin's bounds."""
    d = block_ref.shape[0]
    lane = lax.broadcasted_iota(jnp.int32, (1, d), 1)
    before_ref[0] = 0.0

    def place(i, carry):
        """Row i, whose block begins at `first`."""
        first, blocks, low, high = carry
        here, next_one = diagonal_ref[0, 0, i], diagonal_ref[0, 0, jnp.minimum(i + 1, d - 1)]
        beside = beside_ref[0, 0, i]
        cut = jnp.abs(beside) <= NEGLIGIBLE * (jnp.abs(here) + jnp.abs(next_one))
        before_ref[i + 1] = jnp.where(cut, 0.0, beside)
        block_ref[i] = first
        radius = jnp.abs(before_ref[i]) + jnp.abs(before_ref[i + 1])
        low, high = jnp.minimum(low, here - radius), jnp.maximum(high, here + radius)
        return jnp.where(cut, i + 1, first), jnp.where(lane == i, first, blocks), low, high

    start = jnp.int32(0), jnp.zeros_like(lane), jnp.float32(jnp.inf), jnp.float32(-jnp.inf)
    _, blocks, low, high = lax.fori_loop(0, d, place, start)
    margin = NEGLIGIBLE * (high - low)
    return blocks, (low - margin, high + margin)


def _bisect(diagonal_ref, before_ref, block_ref, blocks: Array, bounds: tuple[Array, Array]) -> Array:
    """Eigenvalues (1, d): lane j gets number `j - first` of the block that begins at row `first` and has row j."""
    d = block_ref.shape[0]
    number = lax.broadcasted_iota(jnp.int32, (1, d), 1) - blocks

    def below(x):
        """How many eigenvalues of its block are below the x of each lane."""

        def row(i, carry):
            pivot, count = carry
            pivot = _pivot(diagonal_ref[0, 0, i], x, before_ref[i], pivot)
            return pivot, jnp.where((pivot < 0) & (blocks == block_ref[i]), count + 1, count)

        return lax.fori_loop(0, d, row, (jnp.ones_like(x), jnp.zeros_like(number)))[1]

    def halve(_, interval):
        low, high = interval
        middle = (low + high) / 2
        beyond = below(middle) > number
        return jnp.where(beyond, low, middle), jnp.where(beyond, middle, high)

    row = jnp.zeros((1, d), jnp.float32)
    low, high = lax.fori_loop(0, BISECTIONS, halve, (row + bounds[0], row + bounds[1]))
    return (low + high) / 2


def _pivot(diagonal: Array, x: Array, beside: Array, last: Array) -> Array:
    """The next pivot of `t - x`, never zero."""
    pivot = diagonal - x - beside * beside / last
    return jnp.where(jnp.abs(pivot) < LEAST_PIVOT, -LEAST_PIVOT, pivot)


def _factor(diagonal_ref, before_ref, block_ref, blocks: Array, values: Array, top_ref, bottom_ref) -> Array:
    """Pivots from the top and from the bottom; the row (1, d), of its own block, in which they meet best."""
    d = block_ref.shape[0]

    def down(i, pivot):
        pivot = _pivot(diagonal_ref[0, 0, i], values, before_ref[i], pivot)
        top_ref[pl.ds(i, 1), :] = pivot
        return pivot

    def up(step, carry):
        pivot, least, twist = carry
        i = d - 1 - step
        diagonal = diagonal_ref[0, 0, i]
        pivot = _pivot(diagonal, values, before_ref[i + 1], pivot)
        bottom_ref[pl.ds(i, 1), :] = pivot
        rest = jnp.abs(top_ref[pl.ds(i, 1), :] + pivot - (diagonal - values))
        better = (rest < least) & (blocks == block_ref[i])
        return pivot, jnp.where(better, rest, least), jnp.where(better, i, twist)

    ones = jnp.ones_like(values)
    lax.fori_loop(0, d, down, ones)
    return lax.fori_loop(0, d, up, (ones, ones * jnp.inf, blocks))[2]


def _unroll(before_ref, top_ref, bottom_ref, twist: Array, vectors_ref) -> None:
    """Vectors of length one, from a one in the row `twist` upwards by the pivots from the top, and downwards."""
    d = top_ref.shape[0]
    zero = jnp.zeros(twist.shape, jnp.float32)

    def upwards(step, carry):
        entry, squares = carry
        i = d - 1 - step
        entry = jnp.where(
            i < twist, -before_ref[i + 1] / top_ref[pl.ds(i, 1), :] * entry, jnp.where(i == twist, 1.0, 0)
        )
        vectors_ref[0, pl.ds(i, 1), :] = entry
        return entry, squares + entry * entry

    def downwards(i, carry):
        entry, squares = carry
        above = vectors_ref[0, pl.ds(i, 1), :]
        beyond = i > twist
        entry = jnp.where(beyond, -before_ref[i] / bottom_ref[pl.ds(i, 1), :] * entry, above)
        vectors_ref[0, pl.ds(i, 1), :] = entry
        return entry, squares + jnp.where(beyond, entry * entry, 0)

    squares = lax.fori_loop(0, d, upwards, (zero, zero))[1]
    squares = lax.fori_loop(0, d, downwards, (zero, squares))[1]
    vectors_ref[0] = vectors_ref[0] * lax.rsqrt(squares)


def _reflect_back(reflections_ref, vectors_ref) -> None:
    """`H_0 H_1 ... z` for every column z, by stages as in the reduction: reflection j moves rows beyond j alone."""
    d = vectors_ref.shape[-1]

    for first, last in reversed(stages(d)):

        def reflect(step, carry, first=first, last=last):
            h = column(reflections_ref[0, pl.ds(last - 1 - step, 1), :][:, first:])
            z = vectors_ref[0, first:, :]
            vectors_ref[0, first:, :] = z - h * jnp.sum(h * z, axis=0, keepdims=True)
            return carry

        lax.fori_loop(0, last - first, reflect, 0)
