"""The maximum mean discrepancy between latent vectors and draws from a prior."""

import jax.numpy as jnp
from jax import Array

SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


def discrepancy(z: Array, prior: Array) -> Array:
    """The unbiased estimate of MMD^2 between `z` (batch, rank) and as many draws from a standard normal.

    The kernel is a sum of inverse multiquadratics `c / (c + |x - y|^2)` with `c = 2 rank s` for the scales s, as in
    the code of the WAE (Tolstikhin et al. 2018); pairs of one vector with itself count in the mixed term only.
    """
    n, rank = z.shape
    zz, pp, zp = _kernel(z, z, rank), _kernel(prior, prior, rank), _kernel(z, prior, rank)
    others = 1 - jnp.eye(n, dtype=z.dtype)
    return jnp.sum((zz + pp) * others) / (n * (n - 1)) - 2 * jnp.mean(zp)


def _kernel(x: Array, y: Array, rank: int) -> Array:
    squares = jnp.sum((x[:, None] - y[None]) ** 2, axis=-1)
    return sum((c / (c + squares) for c in (2.0 * rank * s for s in SCALES)), start=jnp.zeros_like(squares))
