"""Householder reflections applied to many vectors: products of matrices, in vector memory (Pallas).

Compact WY form (Schreiber and Van Loan 1989): with the vectors h of n reflections as the rows of y, each |h|^2 = 2,

    (I - h_0 h_0^T) (I - h_1 h_1^T) ... = I - y^T t y,      t^-1 = I + the part of y y^T above its diagonal.
"""

import jax.numpy as jnp
from jax import Array, lax
from jax.experimental import pallas as pl

from .pallas_call import Interpret, for_each_matrix, matrices_together, matrix_part
from .products import dot

STAGE = 128  # reflections that are applied as one product, and vectors at a time: the matrix unit is 128 x 128


def transform_back(reflections: Array, z: Array, *, interpret: Interpret = False) -> Array:
    """`H_0 H_1 ... z` (count, d, columns), with `H_j = I - h h^T` and h the row j of `reflections` (count, d, d)."""
    count, d, columns = z.shape
    n = min(STAGE, d)
    y = jnp.pad(reflections, ((0, 0), (0, -d % n), (0, 0)))  # what is added reflects nothing
    (result,) = for_each_matrix(
        _kernel,
        [(y, matrix_part(y.shape[1], d)), (z, matrix_part(d, columns))],
        [matrix_part(d, columns)],
        [],
        flops=4 * y.shape[1] * d * columns + 2 * y.shape[1] * n * (d + columns),
        name="transform_back",
        interpret=interpret,
        together=matrices_together(count, max(d, columns)),
    )
    return result


def _kernel(reflections_ref, z_ref, result_ref) -> None:
    """Of m matrices: reflections (m, stages n, d), z (m, d, columns) -> result (m, d, columns), the last n reflections
    first.
    """
    matrices, rows, d = reflections_ref.shape
    columns = z_ref.shape[-1]
    n = min(STAGE, d)
    width = STAGE if columns % STAGE == 0 else columns
    result_ref[...] = z_ref[...]

    def stage(step, carry):
        """Apply n reflections, as one product, to all vectors of each matrix."""
        first = pl.multiple_of(rows - n * (step + 1), n)
        y = [reflections_ref[matrix, pl.ds(first, n), :] for matrix in range(matrices)]
        t = _inverses_of_unit_upper([dot(own, own, (1, 1)) for own in y])

        def reflect(part, carry):
            here = pl.ds(pl.multiple_of(part * width, width), width)
            for matrix, (own, inverse) in enumerate(zip(y, t, strict=True)):
                z = result_ref[matrix, :, here]
                result_ref[matrix, :, here] = z - dot(own, dot(inverse, dot(own, z)), (0, 0))
            return carry

        return lax.fori_loop(0, columns // width, reflect, carry)

    lax.fori_loop(0, rows // n, stage, 0)


def _inverses_of_unit_upper(matrices: list[Array]) -> list[Array]:
    """The inverses of the identity plus the part of each x (n, n) above its diagonal, by blocks of 1, 2, 4, ... rows.

    [[a, b], [0, c]] has the inverse [[1/a, -1/a b 1/c], [0, 1/c]]; all blocks of one size at once.
    """
    n = matrices[0].shape[0]
    row, column = (lax.broadcasted_iota(jnp.int32, (n, n), axis) for axis in (0, 1))
    apart = jnp.where(row < column, row ^ column, 0)  # from `size` to `2 size - 1`: in blocks that are neighbours

    def double(level, inverses):
        size = 1 << level
        neighbours = (apart >= size) & (apart < 2 * size)
        return [
            inverse - dot(dot(inverse, jnp.where(neighbours, x, 0)), inverse)
            for x, inverse in zip(matrices, inverses, strict=True)
        ]

    start = [(row == column).astype(jnp.float32)] * len(matrices)
    return lax.fori_loop(0, (n - 1).bit_length(), double, start)
