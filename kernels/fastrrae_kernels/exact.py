"""`Exact`: the whole thin SVD, then truncated."""

import jax.numpy as jnp
from jax import Array

from .decomposition import Decomposition


def exact(rank: int, a: Array) -> Decomposition:
    """Decompose `a` (..., p, q), p <= q, by the SVD of LAPACK or XLA."""
    u, s, vt = jnp.linalg.svd(a, full_matrices=False)
    return Decomposition(u[..., :rank], s[..., :rank], vt[..., :rank, :], u[..., rank:], s[..., rank:])
