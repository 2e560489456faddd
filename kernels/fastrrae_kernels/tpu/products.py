"""Products of matrices on TPUs, a whole matrix of a stack at a time in vector memory (Pallas).

XLA takes about a second to compile each of its own for a stack, or for sizes of 512; these take it a tenth of that.
"""

from functools import partial

import jax.numpy as jnp
from jax import Array, lax

from ..matrices import matmul, transpose
from .pallas_call import Interpret, for_each_matrix, matrix_part

MOST_BYTES = 4 * 2**20  # of one product's operands and result; in vector memory, each is there twice

BLOCK = 128  # rows of a mirrored product at a time: the matrix unit is 128 x 128


def product(a: Array, b: Array, *, transposed: bool = False, interpret: Interpret = False) -> Array:
    """`a b`, or `a b^T`, of matrices (..., p, r) and (..., r, q), or (..., q, r); float32 at full precision.

    By XLA where they are too large.
    """
    p, r = a.shape[-2:]
    q = b.shape[-2 if transposed else -1]
    if 4 * (p * r + r * q + p * q) > MOST_BYTES:
        return matmul(a, transpose(b) if transposed else b)
    (result,) = for_each_matrix(
        partial(_multiply, 1 if transposed else 0),
        [(x.reshape(-1, *x.shape[-2:]), matrix_part(*x.shape[-2:])) for x in (a, b)],
        [matrix_part(p, q)],
        [],
        flops=2 * p * q * r,
        name="product",
        interpret=interpret,
    )
    return result.reshape(*a.shape[:-1], q)


def _multiply(summed_of_b: int, a_ref, b_ref, result_ref) -> None:
    """a (1, p, r), b (1, r, q) or (1, q, r) -> result (1, p, q)."""
    result_ref[0] = dot(a_ref[0], b_ref[0], (1, summed_of_b))


def gram(a: Array, *, interpret: Interpret = False) -> Array:
    """`a a^T` (..., p, p) of matrices (..., p, r): one half is computed, and mirrored."""
    p, r = a.shape[-2:]
    if 4 * (p * r + p * p) > MOST_BYTES:
        return matmul(a, transpose(a))
    (result,) = for_each_matrix(
        _multiply_by_itself,
        [(a.reshape(-1, p, r), matrix_part(p, r))],
        [matrix_part(p)],
        [],
        flops=p * (p + min(p, BLOCK)) * r,
        name="gram",
        interpret=interpret,
    )
    return result.reshape(*a.shape[:-1], p)


def _multiply_by_itself(a_ref, result_ref) -> None:
    """a (1, p, r) -> result (1, p, p), by rows of blocks from the diagonal on."""
    p = a_ref.shape[1]
    block = BLOCK if p % BLOCK == 0 else p
    for first in range(0, p, block):
        here = slice(first, first + block)
        rows = dot(a_ref[0, here, :], a_ref[0, first:, :], (1, 1))
        result_ref[0, here, first:] = rows
        for other in range(block, p - first, block):
            result_ref[0, first + other : first + other + block, here] = rows[:, other : other + block].T


def dot(a: Array, b: Array, summed: tuple[int, int] = (1, 0)) -> Array:
    """Inside a kernel, the product of two matrices, summed over one axis of each; float32 at full precision."""
    return lax.dot_general(
        *(a, b),
        (((summed[0],), (summed[1],)), ((), ())),
        precision=lax.Precision.HIGHEST,
        preferred_element_type=jnp.float32,
    )
