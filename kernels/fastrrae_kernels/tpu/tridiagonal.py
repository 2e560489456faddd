"""Symmetric matrices to tridiagonal form, by Householder reflections in vector memory (Pallas).

Golub and Van Loan, Matrix Computations, section 8.3.1: reflection j makes row j zero beyond its neighbour,

    H = I - h h^T,  |h|^2 = 2,      H a H = a - h w^T - w h^T,      w = a h - (h^T a h / 2) h.

The updates of a panel of reflections are gathered, and made as one product (Dongarra, Hammarling and Sorensen 1989);
until then `a h` and the next row take them into account: with the h and the w of the panel as the rows of H and W,

    a h = left h - H^T (W h) - W^T (H h).
"""

from functools import partial
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu

from .pallas_call import SMALL, Interpret, for_each_matrix, matrices_together, matrix_part, row_part
from .products import dot

STAGE = 128  # reflections before the rows and columns that are done with are cut off: whole registers

PANEL, SMALL_PANEL = 32, 16  # reflections whose updates are made at once, of large and of small matrices

LANES = 128  # of a register

NOTHING = 1e-30  # squared length of a row that is not reflected: the matrix has entries around one


class Tridiagonal(NamedTuple):
    """`a = q t q^T`, where `q = H_0 H_1 ...` is a product of reflections."""

    diagonal: Array  # (count, 1, d), of t
    off_diagonal: Array  # (count, 1, d), the entries t[j, j + 1]; the last is zero
    reflections: Array  # (count, d, d): row j is the h of H_j, zero where there was nothing to reflect


def tridiagonalise(a: Array, *, interpret: Interpret = False) -> Tridiagonal:
    """Reduce a stack of symmetric matrices `a` (count, d, d), float32."""
    count, d, _ = a.shape
    together = matrices_together(count, d)
    panel = SMALL_PANEL if d <= SMALL else PANEL
    lanes = -(-d // LANES) * LANES
    results = for_each_matrix(
        _reduce,
        [(a, matrix_part(d))],
        [row_part(d), row_part(d), matrix_part(d)],
        [pltpu.VMEM((together, rows, lanes), jnp.float32) for rows in (d, panel, panel)],
        flops=sum(6 * (last - first) * (d - first) ** 2 for first, last in stages(d)),
        name="tridiagonalise",
        interpret=interpret,
        together=together,
    )
    return Tridiagonal(*results)


def _reduce(a_ref, diagonal_ref, off_diagonal_ref, reflections_ref, left_ref, h_ref, w_ref) -> None:
    """Of m matrices: a (m, d, d) -> diagonal (m, 1, d), off_diagonal (m, 1, d), reflections (m, d, d).

    By way of what is left (m, d, lanes) without the updates of a panel, and the rows h and w of these (m, PANEL,
    lanes), with zeros from lane d on: sums over whole registers need no mask.
    """
    matrices, d, lanes = left_ref.shape
    size = h_ref.shape[1]
    left_ref[...] = jnp.pad(a_ref[...], ((0, 0), (0, 0), (0, lanes - d)))

    def panel(first: int, count: int, step: Array | int, carry: int) -> int:
        """`count` reflections, of the rows and columns from `first` on."""
        start = first + size * step
        h_ref[...] = jnp.zeros_like(h_ref)
        w_ref[...] = jnp.zeros_like(w_ref)
        reflect = partial(
            _reflect, diagonal_ref, off_diagonal_ref, reflections_ref, left_ref, h_ref, w_ref, first, start
        )
        lax.fori_loop(0, count, reflect, left_ref[:, pl.ds(start, 1), :][..., first:])
        for matrix in range(matrices):
            h, w = h_ref[matrix, :, first:], w_ref[matrix, :, first:]
            update = dot(jnp.concatenate([h, w])[:, : d - first], jnp.concatenate([w, h]), (0, 0))
            left_ref[matrix, first:, first:] = left_ref[matrix, first:, first:] - update
        return carry

    for first, last in stages(d):
        whole, rest = divmod(last - first, size)
        lax.fori_loop(0, whole, partial(panel, first, size), 0)
        if rest:
            panel(first, rest, whole, 0)


def _reflect(
    diagonal_ref,
    off_diagonal_ref,
    reflections_ref,
    left_ref,
    h_ref,
    w_ref,
    first: int,
    start: Array | int,
    step: Array,
    x: Array,
) -> Array:
    """Reflection `step` of the panel that begins at row `start`, from its row x (m, 1, lanes - first); the next row."""
    j = start + step
    _, d, lanes = left_ref.shape
    lane = first + lax.broadcasted_iota(jnp.int32, (1, 1, lanes - first), 2)
    following = lane == j + 1
    h, off_diagonal = _reflection(jnp.where(lane > j, x, 0), following)
    here = lane[..., : d - first] == j
    for ref, row in ((diagonal_ref, x[..., : d - first]), (off_diagonal_ref, off_diagonal)):
        ref[..., first:] = jnp.where(here, row, ref[..., first:])
    left, earlier_h, earlier_w = left_ref[:, first:, first:], h_ref[..., first:], w_ref[..., first:]
    along_h, along_w = (jnp.sum(rows * h, axis=2, keepdims=True) for rows in (earlier_h, earlier_w))
    image = jnp.sum(left * columns(h)[:, : d - first], axis=1, keepdims=True)
    image = image - jnp.sum(earlier_h * along_w + earlier_w * along_h, axis=1, keepdims=True)
    w = jnp.where(lane > j, image - jnp.sum(image * h, axis=2, keepdims=True) / 2 * h, 0)

    def entry(rows: Array) -> Array:
        return jnp.sum(jnp.where(following, rows, 0), axis=2, keepdims=True)

    # Rows at a place that varies are read and written whole.
    x = left_ref[:, pl.ds(jnp.minimum(j + 1, d - 1), 1), :][..., first:]
    x = x - jnp.sum(earlier_h * entry(earlier_w) + earlier_w * entry(earlier_h), axis=1, keepdims=True)
    for ref, row, place in ((reflections_ref, h[..., : d - first], j), (h_ref, h, step), (w_ref, w, step)):
        ref[:, pl.ds(place, 1), :] = jnp.pad(row, ((0, 0), (0, 0), (first, 0)))
    return x - (entry(w) * h + entry(h) * w)


def stages(d: int) -> list[tuple[int, int]]:
    """The first reflection of each stage, from which on its rows and columns are left, and the end of the stage."""
    return [(first, min(first + STAGE, d)) for first in range(0, d, STAGE)]


def _reflection(x: Array, kept: Array) -> tuple[Array, Array]:
    """The h of the reflections that turn `x` (m, 1, n) into multiples of the unit vector `kept`; the multiples."""
    # Sums stay vectors (m, 1, 1): moving a number to the scalar unit and back takes longer than computing it.
    squares, first = (jnp.sum(y, axis=2, keepdims=True) for y in (x * x, jnp.where(kept, x, 0)))
    squares = jnp.where(squares <= NOTHING, 0, squares)
    length = jnp.sqrt(squares)
    turned = jnp.where(first < 0, length, -length)  # away from x: nothing cancels
    size = 2 * (squares + length * jnp.abs(first))  # of the difference, squared
    factor = jnp.where(size == 0, 0, jnp.sqrt(2 / jnp.where(size == 0, 1, size)))
    return (x - jnp.where(kept, turned, 0)) * factor, turned


def column(x: Array) -> Array:
    """Rows (..., 1, n) as columns (..., n, 1): whole registers are transposed, and one column of them is used."""
    return jnp.swapaxes(jnp.broadcast_to(x, (*x.shape[:-2], 8, x.shape[-1])), -2, -1)[..., :1]


def columns(x: Array) -> Array:
    """Rows (m, 1, n), n a multiple of the lanes, as matrices (m, n, n) of n columns that are equal to them.

    Whole registers of equal rows are transposed, which takes fewer steps than to spread a column over all lanes.
    """
    n = x.shape[-1]
    turned = jnp.swapaxes(jnp.broadcast_to(x, (*x.shape[:-2], LANES, n)), -2, -1)
    return jnp.concatenate([turned] * (n // LANES), axis=-1)
