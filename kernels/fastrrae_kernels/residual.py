"""How far given factors are from being singular triplets."""

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from .matrices import matmul, sum_over, transpose
from .svd import TruncatedSVD


def residual(
    a: Float[ArrayLike, "*batch m n"], svd: TruncatedSVD, *, axis_name: str | None = None
) -> Float[Array, "*batch k"]:
    """`sqrt(|a v_i - s_i u_i|^2 + |a^T u_i - s_i v_i|^2)` of each triplet, in the units of `a`.

    Within sqrt(1/2) times this distance of each `s_i` there is a singular value of `a`. Exact factors leave rounding,
    a few eps s_1; `Randomized(tolerance=t)` leaves about `t * s_1`.
    """
    a = jnp.asarray(a)
    u, s, v = svd.u, svd.s[..., None, :], transpose(svd.vt)
    left = jnp.sum((matmul(a, v) - s * u) ** 2, axis=-2)
    back = sum_over(axis_name, matmul(transpose(a), u))
    return jnp.sqrt(sum_over(axis_name, left) + jnp.sum((back - s * v) ** 2, axis=-2))
