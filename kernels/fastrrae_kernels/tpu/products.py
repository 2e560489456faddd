"""Products of matrices on TPUs, a whole matrix of a stack at a time in vector memory (Pallas).

XLA takes about a second to compile each of its own for a stack, or for sizes of 512; these take it a tenth of that.
"""

from functools import partial

import jax.numpy as jnp
from jax import Array, lax

from ..matrices import matmul, transpose
from .pallas_call import Interpret, for_each_matrix, matrix_part

MOST_BYTES = 4 * 2**20  # of one product's operands and result; in vector memory, each is there twice


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
    result_ref[0] = lax.dot_general(
        *(a_ref[0], b_ref[0]),
        (((1,), (summed_of_b,)), ((), ())),
        precision=lax.Precision.HIGHEST,
        preferred_element_type=jnp.float32,
    )
