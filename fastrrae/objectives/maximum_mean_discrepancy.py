"""The maximum mean discrepancy (MMD) between latent vectors and draws from a prior."""

from typing import Any

import jax.numpy as jnp
from jax import Array

SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


def maximum_mean_discrepancy(z: Array, prior: Array) -> Array:
    """The unbiased estimate of MMD^2 between `z` (batch, rank) and as many draws from a standard normal.

    The kernel is a sum of inverse multiquadratics `c / (c + |x - y|^2)` with `c = 2 rank s` for the scales s, as in
    the code of the WAE (Tolstikhin et al. 2018); pairs of one vector with itself count in the mixed term only.
    """
    n, rank = z.shape
    zz, pp, zp = _kernel(z, z, rank), _kernel(prior, prior, rank), _kernel(z, prior, rank)
    off_diagonal = 1 - jnp.eye(n, dtype=z.dtype)
    return jnp.sum((zz + pp) * off_diagonal) / (n * (n - 1)) - 2 * jnp.mean(zp)


def mmd_penalty(model: Any, x: Array, output: Any) -> Array:
    """The penalty: the MMD of a batch's latent vectors and fresh draws, by the bottleneck's `draw_prior(count)`."""
    z = output.latent.z
    return maximum_mean_discrepancy(z, model.bottleneck.draw_prior(z.shape[0]))


def _kernel(x: Array, y: Array, rank: int) -> Array:
    squares = jnp.sum((x[:, None] - y[None]) ** 2, axis=-1)
    return sum((c / (c + squares) for c in (2.0 * rank * s for s in SCALES)), start=jnp.zeros_like(squares))
