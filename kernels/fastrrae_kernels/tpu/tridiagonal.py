"""Symmetric matrices to tridiagonal form, by Householder reflections in vector memory (Pallas).

Golub and Van Loan, Matrix Computations, section 8.3.1: reflection j makes row j zero beyond its neighbour,

    H = I - h h^T,  |h|^2 = 2,      H a H = a - h w^T - w h^T,      w = a h - (h^T a h / 2) h,

and needs one product of `a` with a vector and one update of rank two, on what is left of the matrix.
"""

from functools import partial
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu

from .pallas_call import Interpret, for_each_matrix, matrix_part, scalar_part

STAGE = 128  # reflections before the rows and columns that are done with are cut off: whole registers


class Tridiagonal(NamedTuple):
    """`a = q t q^T`, where `q = H_0 H_1 ...` is a product of reflections."""

    diagonal: Array  # (count, 1, d), of t
    beside: Array  # (count, 1, d), the entries t[j, j + 1]; the last is zero
    reflections: Array  # (count, d, d): row j is the h of H_j, zero where there was nothing to reflect


def tridiagonalise(a: Array, *, interpret: Interpret = False) -> Tridiagonal:
    """Reduce a stack of symmetric matrices `a` (count, d, d), float32."""
    d = a.shape[-1]
    results = for_each_matrix(
        _reduce,
        [(a, matrix_part(d))],
        [scalar_part(d), scalar_part(d), matrix_part(d)],
        [pltpu.VMEM((d, d), jnp.float32)],
        flops=sum(6 * (last - first) * (d - first) ** 2 for first, last in stages(d)),
        name="tridiagonalise",
        interpret=interpret,
    )
    return Tridiagonal(*results)


def _reduce(a_ref, diagonal_ref, beside_ref, reflections_ref, left_ref) -> None:
    """a (1, d, d) -> diagonal (1, 1, d), beside (1, 1, d), reflections (1, d, d), by way of what is left (d, d)."""
    d = left_ref.shape[0]
    left_ref[...] = a_ref[0]
    reflections_ref[...] = jnp.zeros_like(reflections_ref)

    def reflect(first: int, j: Array, carry: int) -> int:
        """Reflection j, of the rows and columns from `first` on."""
        x = left_ref[pl.ds(j, 1), :][:, first:]  # rows at a place that varies are read and written whole
        lane = first + lax.broadcasted_iota(jnp.int32, x.shape, 1)
        diagonal_ref[0, 0, j] = jnp.sum(jnp.where(lane == j, x, 0))
        h, beside_ref[0, 0, j] = _reflection(jnp.where(lane > j, x, 0), lane == j + 1)
        reflections_ref[0, pl.ds(j, 1), :] = jnp.pad(h, ((0, 0), (first, 0)))
        h_column = column(h)
        left = left_ref[first:, first:]
        image = jnp.sum(left * h_column, axis=0, keepdims=True)
        w = image - jnp.sum(image * h) / 2 * h
        left_ref[first:, first:] = left - h_column * w - column(w) * h
        return carry

    for first, last in stages(d):
        lax.fori_loop(first, last, partial(reflect, first), 0)


def stages(d: int) -> list[tuple[int, int]]:
    """The first reflection of each stage, from which on its rows and columns are left, and the end of the stage."""
    return [(first, min(first + STAGE, d)) for first in range(0, d, STAGE)]


def _reflection(x: Array, kept: Array) -> tuple[Array, Array]:
    """The h (1, n) of the reflection that turns `x` (1, n) into a multiple of the unit vector `kept`; the multiple."""
    largest = jnp.max(jnp.abs(x))
    x = x / jnp.where(largest > 0, largest, 1)
    length = jnp.sqrt(jnp.sum(x * x))
    turned = jnp.where(jnp.sum(jnp.where(kept, x, 0)) < 0, length, -length)  # away from x: nothing cancels
    difference = x - jnp.where(kept, turned, 0)
    size = jnp.sum(difference * difference)
    return difference * jnp.where(size > 0, jnp.sqrt(2 / jnp.where(size > 0, size, 1)), 0), turned * largest


def column(x: Array) -> Array:
    """A row (1, n) as a column (n, 1): whole registers are transposed, and one column of them is used."""
    return jnp.transpose(jnp.broadcast_to(x, (8, x.shape[1])))[:, :1]
