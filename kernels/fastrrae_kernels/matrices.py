"""Matrix products and transposes over leading batch dimensions, always at full float32 precision."""

from functools import partial

import jax.numpy as jnp
from jax import Array, lax

# TPUs and GPUs round float32 operands to shorter types by default; orthonormality would stop at 1e-3.
matmul = partial(jnp.matmul, precision=lax.Precision.HIGHEST)


def transpose(a: Array) -> Array:
    """Swap the last two axes."""
    return jnp.swapaxes(a, -1, -2)


def project_out(q: Array, x: Array) -> Array:
    """`(I - q q^T) x` for `q` with orthonormal columns."""
    return x - matmul(q, matmul(transpose(q), x))
