"""Symmetric eigenproblems on TPU: two-sided Jacobi in parallel order, a matrix at a time in vector memory (Pallas).

Brent and Luk (1985): rows are paired as in a round of a tournament, top against bottom. All pairs are rotated at once,
so that their off-diagonal entries vanish, and all but the first player move on by one place; after d - 1 rounds (a
sweep) everybody has met everybody. A matrix is kept as its four blocks, so that pairs are (i, i) of these,

    [[p, q],      p = a[tops, tops]          q = a[tops, bottoms]
     [r, s]]      r = a[bottoms, tops]       s = a[bottoms, bottoms]

and a round is elementwise arithmetic and shifts by one: nothing that a TPU cannot do in place, in float32.
"""

from functools import partial
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu
from jax.typing import ArrayLike

from .pallas_call import Interpret, for_each_matrix, matrix_part, padded_stack, row_part, scalar_part

MOST_COLUMNS = 512  # six arrays of 1 MiB in vector memory; a sweep takes time as the cube of the size

MOST_SWEEPS = 15  # convergence is quadratic; from the identity, random ones of 512 take 9, graded up to 12

TOLERANCE = 2.0**-20  # of an off-diagonal entry, in units of its scale; eight times the rounding of float32

QUADRATIC = 0.03  # a residual from which on a sweep more than halves it, but for rounding errors and a rare exception

TYPICAL_SWEEPS = 2  # from the start that `eigenbasis` makes; counted, for estimates of the arithmetic

FLOPS_OF_A_ROUND = 12  # an entry: four for the matrix along either axis, four for the vectors


class Eigen(NamedTuple):
    """`a = vectors^T diag(values) vectors`, eigenvalues in descending order."""

    values: Array  # (..., d)
    vectors: Array  # (..., d, d), eigenvectors as rows
    residual: Array  # (...), the largest off-diagonal entry that is left, in units of its scale
    sweeps: Array  # (...) int32, that it took


class _Blocks(NamedTuple):
    """A matrix (d, d) by tops and bottoms, and the rotations so far (d, d) by rows."""

    p: Array
    q: Array
    r: Array
    s: Array
    top: Array
    bottom: Array


def jacobi_eigh(a: Array, *, floor: ArrayLike = 1.0, interpret: Interpret = False) -> Eigen:
    """The eigenvalues and eigenvectors of symmetric matrices `a` (..., d, d), float32, d <= 512.

    Args:
        a: the matrices; NaN anywhere in one makes its results NaN.
        floor: an off-diagonal entry is negligible next to `sqrt(max(a_ii, floor * largest) max(a_jj, floor * largest))`
            with the largest diagonal entry. At 1, that is next to the largest. Less is for positive definite matrices
            whose entries (i, j) are known to within rounding of `sqrt(a_ii a_jj)`: eigenvalues down to the floor then
            come out to high *relative* accuracy (Demmel and Veselic 1992); for other matrices it polishes noise.
        interpret: run the kernel on any platform, for tests.
    """
    d = a.shape[-1]
    if d > MOST_COLUMNS:
        raise ValueError(f"the Jacobi kernel takes matrices up to {MOST_COLUMNS}; got {d}")
    even = d + d % 2
    # An odd number of players gets one more, of zeros: nobody is ever rotated with it, and it is sent home first.
    values, vectors, residual, sweeps = _call(padded_stack(a, even), floor, interpret)
    added = jnp.sum(jnp.abs(vectors[..., d:]), axis=-1) > 0.5
    order = jnp.argsort(jnp.where(added, -jnp.inf, values), axis=-1, descending=True)[:, :d]
    values = jnp.take_along_axis(values, order, axis=-1)
    vectors = jnp.take_along_axis(vectors, order[..., None], axis=-2)[..., :d]
    batch = a.shape[:-2]
    return Eigen(
        values.reshape(*batch, d), vectors.reshape(*batch, d, d), residual.reshape(batch), sweeps.reshape(batch)
    )


def _call(a: Array, floor: ArrayLike, interpret: Interpret) -> tuple[Array, Array, Array, Array]:
    """The kernel on a stack (count, d, d) of even size."""
    count, d, _ = a.shape
    floors = jnp.full((count, 1, 1), floor, jnp.float32)
    half = d // 2
    values, vectors, residual, sweeps = for_each_matrix(
        _kernel,
        [(a, matrix_part(d)), (floors, scalar_part(1))],
        [row_part(d), matrix_part(d), scalar_part(1), scalar_part(1, jnp.int32)],
        [
            pltpu.SMEM((2,), jnp.int32),
            *(pltpu.VMEM(shape, jnp.float32) for shape in ((half, half),) * 4 + ((half, d),) * 2),
        ],
        flops=TYPICAL_SWEEPS * (d - 1) * FLOPS_OF_A_ROUND * d * d,
        name="jacobi_eigh",
        interpret=interpret,
    )
    return values[:, 0], vectors, residual[:, 0, 0], sweeps[:, 0, 0]


def _kernel(a_ref, floor_ref, values_ref, vectors_ref, residual_ref, sweeps_ref, state_ref, *block_refs) -> None:
    """a (1, d, d), floor (1, 1, 1) -> values (1, 1, d), vectors (1, d, d), as the last round left them.

    By way of the state (2,): whether this is finished, and whether the last sweep has changed little.
    """
    half = a_ref.shape[-1] // 2
    floor = floor_ref[0, 0, 0]
    _start(a_ref, block_refs)
    blocks = _Blocks(*(ref[...] for ref in block_refs))
    residual_ref[0, 0, 0] = _residual(blocks, floor * _largest_diagonal(blocks))
    sweeps_ref[0, 0, 0] = 0
    state_ref[0] = (residual_ref[0, 0, 0] <= TOLERANCE).astype(jnp.int32)
    state_ref[1] = 0

    def sweep(_, carry):
        """All rounds once, unless there is nothing left to do, or rounding undoes it."""

        @pl.when(state_ref[0] == 0)
        def _():
            blocks = _Blocks(*(ref[...] for ref in block_refs))
            least = floor * _largest_diagonal(blocks)
            blocks = lax.fori_loop(0, 2 * half - 1, lambda _, blocks: _round(blocks, least), blocks)
            for ref, block in zip(block_refs, blocks, strict=True):
                ref[...] = block
            before, after = residual_ref[0, 0, 0], _residual(blocks, least)
            residual_ref[0, 0, 0] = after
            sweeps_ref[0, 0, 0] += 1
            stalled = (sweeps_ref[0, 0, 0] > 5) & (before <= QUADRATIC) & (after > before / 2)  # not so of NaN
            state_ref[0] = ((after <= TOLERANCE) | (stalled & (state_ref[1] != 0))).astype(jnp.int32)
            state_ref[1] = stalled.astype(jnp.int32)

        return carry

    lax.fori_loop(0, MOST_SWEEPS, sweep, 0)
    blocks = _Blocks(*(ref[...] for ref in block_refs))
    values_ref[0, :, :half] = _diagonal(blocks.p, 0)
    values_ref[0, :, half:] = _diagonal(blocks.s, 0)
    vectors_ref[0, :half, :] = blocks.top
    vectors_ref[0, half:, :] = blocks.bottom


def _start(a_ref, block_refs) -> None:
    """The blocks of a matrix, and the identity for its rotations."""
    d = a_ref.shape[-1]
    half = d // 2
    p, q, r, s, top, bottom = block_refs
    p[...], q[...] = a_ref[0, :half, :half], a_ref[0, :half, half:]
    r[...], s[...] = a_ref[0, half:, :half], a_ref[0, half:, half:]
    row, column = (lax.broadcasted_iota(jnp.int32, (half, d), axis) for axis in (0, 1))
    top[...] = (row == column).astype(jnp.float32)
    bottom[...] = (row + half == column).astype(jnp.float32)


def _round(blocks: _Blocks, least: Array) -> _Blocks:
    """Rotate all pairs, rows and then columns, and move on."""
    p, q, r, s, top, bottom = blocks
    of_rows, of_columns = _rotations(blocks, 1, least), _rotations(blocks, 0, least)  # the same, along either axis
    p, r = _rotate(of_rows, p, r)
    q, s = _rotate(of_rows, q, s)
    p, q = _rotate(of_columns, p, q)
    r, s = _rotate(of_columns, r, s)
    top, bottom = _rotate(of_rows, top, bottom)
    p, r = _move_on(p, r, 0)
    q, s = _move_on(q, s, 0)
    p, q = _move_on(p, q, 1)
    r, s = _move_on(r, s, 1)
    return _Blocks(p, q, r, s, *_move_on(top, bottom, 0))


def _rotations(blocks: _Blocks, axis: int, least: Array) -> tuple[Array, Array]:
    """Sines, and tangents of half the angles, that make the off-diagonal entry of each pair zero; zeros where it is
    negligible already. Columns (half, 1) for axis 1, rows (1, half) for axis 0.
    """
    first, second, between = (_diagonal(block, axis) for block in (blocks.p, blocks.s, blocks.q))
    scale = jnp.sqrt(jnp.maximum(jnp.abs(first), least)) * jnp.sqrt(jnp.maximum(jnp.abs(second), least))
    negligible = jnp.abs(between) <= TOLERANCE / 4 * scale
    theta = (second - first) / (2 * jnp.where(between == 0, 1, between))
    tangent = jnp.where(theta < 0, -1.0, 1.0) / (jnp.abs(theta) + jnp.sqrt(1 + theta * theta))
    tangent = jnp.where(negligible, 0.0, tangent)
    cosine = lax.rsqrt(1 + tangent * tangent)
    sine = tangent * cosine
    return sine, sine / (1 + cosine)


def _rotate(rotations: tuple[Array, Array], top: Array, bottom: Array) -> tuple[Array, Array]:
    """`cos top - sin bottom` and `sin top + cos bottom`, as corrections of what they were (Rutishauser 1966).

    Rounding the cosine of a small angle to 1 would make every such rotation a little too long, thousands of times.
    """
    sine, half_tangent = rotations
    return top - sine * (bottom + half_tangent * top), bottom + sine * (top - half_tangent * bottom)


def _move_on(top: Array, bottom: Array, axis: int) -> tuple[Array, Array]:
    """A round of the tournament along an axis: the first stays, the others go round by one place."""
    half = top.shape[axis]
    part = partial(lax.slice_in_dim, axis=axis)
    if half == 1:
        return top, bottom
    new_top = [part(top, 0, 1), part(bottom, 0, 1), part(top, 1, half - 1)]
    new_bottom = [part(bottom, 1, half), part(top, half - 1, half)]
    return lax.concatenate([x for x in new_top if x.shape[axis]], axis), lax.concatenate(new_bottom, axis)


def _residual(blocks: _Blocks, least: Array) -> Array:
    """The largest off-diagonal entry, in units of its scale."""

    def scales(block: Array, axis: int) -> Array:
        size = jnp.maximum(jnp.abs(_diagonal(block, axis)), least)
        return jnp.where(size > 0, lax.rsqrt(jnp.where(size > 0, size, 1)), 0)

    of_p, of_s = scales(blocks.p, 1), scales(blocks.s, 1)
    of_p_t, of_s_t = scales(blocks.p, 0), scales(blocks.s, 0)
    others = 1 - _identity(blocks.p.shape[0])
    parts = (
        jnp.abs(blocks.p) * of_p * of_p_t * others,
        jnp.abs(blocks.q) * of_p * of_s_t,
        jnp.abs(blocks.s) * of_s * of_s_t * others,
    )
    return _max_of(parts)


def _max_of(parts: tuple[Array, ...]) -> Array:
    largest = jnp.max(parts[0])
    for part in parts[1:]:
        largest = jnp.maximum(largest, jnp.max(part))
    return largest


def _largest_diagonal(blocks: _Blocks) -> Array:
    return _max_of((jnp.abs(_diagonal(blocks.p, 0)), jnp.abs(_diagonal(blocks.s, 0))))


def _diagonal(block: Array, axis: int) -> Array:
    """The diagonal as a row (axis 0) or as a column (axis 1)."""
    return jnp.sum(block * _identity(block.shape[0]), axis=axis, keepdims=True)


def _identity(size: int) -> Array:
    row, column = (lax.broadcasted_iota(jnp.int32, (size, size), axis) for axis in (0, 1))
    return (row == column).astype(jnp.float32)
