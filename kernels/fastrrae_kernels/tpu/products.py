"""Products of matrices on TPUs, a whole matrix of a stack at a time in vector memory (Pallas).

XLA takes about a second to compile each of its own for a stack, or for sizes of 512; these take it a tenth of that.
"""

import itertools
from functools import partial

import jax.numpy as jnp
from jax import Array, lax

from ..matrices import matmul, transpose
from .pallas_call import Interpret, for_each_matrix, matrices_together, matrix_part

MOST_BYTES = 4 * 2**20  # of one product's operands and result; in vector memory, each is there twice

BLOCK = 128  # rows of a mirrored product at a time: the matrix unit is 128 x 128


def product(a: Array, b: Array, *, transposed: bool = False, interpret: Interpret = False) -> Array:
    """`a b`, or `a b^T`, of matrices (..., p, r) and (..., r, q), or (..., q, r); float32 at full precision.

    By XLA where they are too large.
    """
    *batch, p, r = a.shape
    q = b.shape[-2 if transposed else -1]
    size = 4 * (p * r + r * q + p * q)
    if size > MOST_BYTES:
        return matmul(a, transpose(b) if transposed else b)
    a, b = (x.reshape(-1, *x.shape[-2:]) for x in (a, b))
    (result,) = for_each_matrix(
        partial(_multiply, 1 if transposed else 0),
        [(x, matrix_part(*x.shape[-2:])) for x in (a, b)],
        [matrix_part(p, q)],
        [],
        flops=2 * p * q * r,
        name="product",
        interpret=interpret,
        together=_together(len(a), p, size),
    )
    return result.reshape(*batch, p, q)


def _multiply(summed_of_b: int, a_ref, b_ref, result_ref) -> None:
    """Of m pairs: a (m, p, r), b (m, r, q) or (m, q, r) -> result (m, p, q)."""
    for matrix in range(a_ref.shape[0]):
        result_ref[matrix] = dot(a_ref[matrix], b_ref[matrix], (1, summed_of_b))


def _together(count: int, d: int, size: int) -> int:
    """How many products of d rows and of `size` bytes a program should make."""
    together = matrices_together(count, d)
    return together if together * size <= MOST_BYTES else 1


def gram(a: Array, *, interpret: Interpret = False) -> Array:
    """`a a^T` (..., p, p) of matrices (..., p, r): one half is computed, and mirrored."""
    *batch, p, r = a.shape
    size = 4 * (p * r + p * p)
    if size > MOST_BYTES:
        return matmul(a, transpose(a))
    a = a.reshape(-1, p, r)
    (result,) = for_each_matrix(
        _multiply_by_itself,
        [(a, matrix_part(p, r))],
        [matrix_part(p)],
        [],
        flops=p * (p + min(p, BLOCK)) * r,
        name="gram",
        interpret=interpret,
        together=_together(len(a), p, size),
    )
    return result.reshape(*batch, p, p)


def _multiply_by_itself(a_ref, result_ref) -> None:
    """Of m matrices: a (m, p, r) -> result (m, p, p), by rows of blocks from the diagonal on."""
    matrices, p, _ = a_ref.shape
    block = BLOCK if p % BLOCK == 0 else p
    for matrix, first in itertools.product(range(matrices), range(0, p, block)):
        here = slice(first, first + block)
        rows = dot(a_ref[matrix, here, :], a_ref[matrix, first:, :], (1, 1))
        result_ref[matrix, here, first:] = rows
        for other in range(block, p - first, block):
            result_ref[matrix, first + other : first + other + block, here] = rows[:, other : other + block].T


def dot(a: Array, b: Array, summed: tuple[int, int] = (1, 0)) -> Array:
    """Inside a kernel, the product of two matrices, summed over one axis of each; float32 at full precision."""
    return lax.dot_general(
        *(a, b),
        (((summed[0],), (summed[1],)), ((), ())),
        precision=lax.Precision.HIGHEST,
        preferred_element_type=jnp.float32,
    )
