"""`Gram` where there is no float64, as on TPUs: in float32 alone, and yet to rounding of the largest singular value.

The rows of `b = v^T a`, for eigenvectors v of `a a^T`, are nearly orthogonal, and graded: row i is as small as its
singular value, up to rounding of the largest. So `b b^T` is known to within rounding of `|b_i| |b_j|`, not of
`|b_1|^2`; and Jacobi's method diagonalises such a matrix to high relative accuracy (Demmel and Veselic 1992). Squaring
loses nothing the second time.
"""

import jax.numpy as jnp
from jax import Array, lax

from .decomposition import Decomposition
from .jacobi import jacobi_eigh
from .matrices import gram_matrix, matmul, orthonormal_rows, transpose

# Rows of `b` that are smaller, relative to the largest, are made of rounding errors.
RESOLVED = 3e-7

# Where singular values are below this share of the largest, rotations leave up to 1e-5 between rows of `vt`.
WEAK = 1e-2


def gram_by_jacobi(rank: int, a: Array, *, interpret: bool = False) -> Decomposition:
    """Decompose `a` (..., p, q), float32, p <= 512, by the Jacobi kernel; `interpret` runs it on any platform."""
    first = _orthogonal(jacobi_eigh(gram_matrix(a), interpret=interpret).vectors)
    b = matmul(first, a)
    second = jacobi_eigh(
        gram_matrix(b), floor=RESOLVED**2, interpret=interpret
    ).vectors  # graded like b, entry by entry
    b, ut = matmul(second, b), matmul(second, first)
    s = jnp.sqrt(jnp.sum(b * b, axis=-1))
    s = jnp.sort(s, descending=True)  # rounding can swap neighbours that are tied
    s = jnp.where(s > RESOLVED * s[..., :1], s, 0)
    vt = b[..., :rank, :] / jnp.where(s > 0, s, jnp.inf)[..., :rank, None]
    weak, lost = s[..., rank - 1] <= WEAK * s[..., 0], s[..., :rank] == 0
    vt = lax.cond(jnp.any(weak), lambda vt, lost: orthonormal_rows(vt, lost), lambda vt, lost: vt, vt, lost)
    u = transpose(ut)
    return Decomposition(u[..., :rank], s[..., :rank], vt, u[..., rank:], s[..., rank:])


def _orthogonal(v: Array) -> Array:
    """`v`, orthogonal up to the rounding of thousands of rotations, made so up to that of one (Newton and Schulz)."""
    identity = jnp.eye(v.shape[-1], dtype=v.dtype)
    return matmul(1.5 * identity - 0.5 * gram_matrix(v), v)
