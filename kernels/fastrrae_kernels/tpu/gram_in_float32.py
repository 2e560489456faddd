"""`Gram` where there is no float64, as on TPUs: in float32 alone, and yet to rounding of the largest singular value.

The rows of `b = v^T a`, for approximate eigenvectors v of `a a^T`, are nearly orthogonal, and graded: row i is as small
as its singular value, up to rounding of the largest. So `b b^T` is known to within rounding of `|b_i| |b_j|`, not of
`|b_1|^2`; and Jacobi's method diagonalises such a matrix to high relative accuracy (Demmel and Veselic 1992). Squaring
loses nothing the second time.
"""

from functools import partial

import jax.numpy as jnp
from jax import Array, lax

from ..decomposition import Decomposition
from ..matrices import transpose
from .eigenbasis import eigenbasis
from .gram_schmidt import gram_schmidt
from .pallas_call import Interpret
from .products import product

# Rows of `b` that are smaller, relative to the largest, are made of rounding errors.
RESOLVED = 3e-7

# Rows that are smaller are rotated only as far as it matters to rows of this size: the rest is noise with noise.
ROTATED = 3e-6

# Where singular values are below this share of the largest, rotations leave up to 1e-5 between rows of `vt`.
WEAK = 1e-2


def gram_in_float32(rank: int, a: Array, *, interpret: Interpret = False) -> Decomposition:
    """Decompose `a` (..., p, q), float32, p <= 512, by the TPU kernels; `interpret` runs them on any platform."""
    multiply = partial(product, interpret=interpret)

    def in_basis(basis: Array) -> Array:
        b = multiply(basis, a)
        return multiply(b, b, transposed=True)

    ut = eigenbasis(multiply(a, a, transposed=True), in_basis, floor=ROTATED**2, interpret=interpret)
    b = multiply(ut, a)
    s = jnp.sqrt(jnp.sum(b * b, axis=-1))
    s = jnp.sort(s, descending=True)  # rounding can swap neighbours that are tied
    s = jnp.where(s > RESOLVED * s[..., :1], s, 0)
    vt = b[..., :rank, :] / jnp.where(s > 0, s, jnp.inf)[..., :rank, None]
    weak, lost = s[..., rank - 1] <= WEAK * s[..., 0], s[..., :rank] == 0
    vt = lax.cond(jnp.any(weak), gram_schmidt, lambda vt, lost: vt, vt, lost)
    u = transpose(ut)
    return Decomposition(u[..., :rank], s[..., :rank], vt, u[..., rank:], s[..., rank:])
