"""`Gram` where there is no float64, as on TPUs: in float32 alone, and yet to rounding of the largest singular value.

The rows of `b = v^T a`, for approximate eigenvectors v of `a a^T`, are nearly orthogonal, and graded: row i is as small
as its singular value, up to rounding of the largest. So `b b^T` is known to within rounding of `|b_i| |b_j|`, not of
`|b_1|^2`; and Jacobi's method diagonalises such a matrix to high relative accuracy (Demmel and Veselic 1992). Squaring
loses nothing the second time.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax import Array, lax

from ..decomposition import Decomposition
from ..matrices import transpose
from .eigenbasis import eigenbasis
from .gram_schmidt import gram_schmidt
from .pallas_call import Interpret
from .products import gram, product

# Rows of `b` that are smaller, relative to the largest, are made of rounding errors.
RESOLVED = 3e-7

# Rows that are smaller are rotated only as far as it matters to rows of this size: the rest is noise with noise.
ROTATED = 3e-6

# Cosines between rows of `vt` up to which it is enough to take earlier ones out of later ones to first order.
STRAIGHT = 1e-4


def gram_in_float32(rank: int, a: Array, *, interpret: Interpret = False) -> Decomposition:
    """Decompose `a` (..., p, q), float32, p <= 512, by the TPU kernels; `interpret` runs them on any platform."""
    multiply = partial(product, interpret=interpret)

    def in_basis(basis: Array) -> Array:
        return gram(multiply(basis, a), interpret=interpret)

    ut = eigenbasis(gram(a, interpret=interpret), in_basis, floor=ROTATED**2, rank=rank, interpret=interpret)
    b = multiply(ut, a)
    s = jnp.sqrt(jnp.sum(b * b, axis=-1))
    s = jnp.sort(s, descending=True)  # rounding can swap neighbours that are tied
    s = jnp.where(s > RESOLVED * s[..., :1], s, 0)
    vt = b[..., :rank, :] / jnp.where(s > 0, s, jnp.inf)[..., :rank, None]
    lost, along = s[..., :rank] == 0, jnp.tril(gram(vt, interpret=interpret), -1)
    straight = jnp.max(jnp.abs(along), initial=0) <= STRAIGHT
    with jax.named_scope("gram_schmidt"):
        vt = lax.cond(
            straight & ~jnp.any(lost),
            lambda vt, lost, along: _unit_rows(vt - multiply(along, vt)),
            lambda vt, lost, along: gram_schmidt(vt, lost),
            *(vt, lost, along),
        )
    u = transpose(ut)
    return Decomposition(u[..., :rank], s[..., :rank], vt, u[..., rank:], s[..., rank:])


def _unit_rows(x: Array) -> Array:
    return x * lax.rsqrt(jnp.sum(x * x, axis=-1, keepdims=True))
