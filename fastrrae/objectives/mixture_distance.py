"""The penalty of the GMM-DAE: latent vectors distributed like a mixture of Gaussians (Saseendran et al. 2021)."""

from functools import lru_cache
from typing import Literal, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array


class Mixture(Protocol):
    """What the distances need of a prior; it must be hashable."""

    @property
    def covariance(self) -> np.ndarray:
        """Of the whole mixture, (rank, rank)."""
        ...

    def marginal_cdf(self, z: Array) -> Array:
        """The cumulative distribution function of each coordinate at `z` (..., rank)."""
        ...

    def sample(self, count: int, seed: int) -> np.ndarray:
        """Draw `count` vectors, (count, rank)."""
        ...


Terms = Literal["both", "marginals", "covariance"]

_DRAWS = 64  # from the prior, over which each loss is one on average


def marginal_distance(z: Array, prior: Mixture) -> Array:
    """Mean squared distance of empirical and prior marginal distribution functions, at `z` (batch, rank) (equation 7).

    The empirical one is a step function whose steps do not move with `z`: only the prior's is differentiated.
    """
    return jnp.mean((prior.marginal_cdf(z) - jax.lax.stop_gradient(empirical_cdf(z))) ** 2)


def empirical_cdf(z: Array) -> Array:
    """For each entry of `z` (batch, rank), the share of its column that is not larger. By sorting."""
    count = len(z)

    def of_column(column: Array) -> Array:
        return jnp.searchsorted(jnp.sort(column), column, side="right") / count

    return jax.vmap(of_column, in_axes=1, out_axes=1)(z)


def covariance_distance(z: Array, prior: Mixture) -> Array:
    """Mean squared difference of the entries of the covariances of `z` (batch, rank) and the prior (equation 8)."""
    centred = z - jnp.mean(z, axis=0)
    covariance = centred.T @ centred / (len(z) - 1)
    return jnp.mean((covariance - jnp.asarray(prior.covariance, z.dtype)) ** 2)


def mixture_distance(z: Array, prior: Mixture, terms: Terms = "both") -> Array:
    """Both, each divided by its mean over draws from the prior (equation 10): about 2 for latents distributed so.

    Args:
        z: (batch, rank).
        prior: what they are compared with.
        terms: both distances, or that of the marginals or of the covariance alone (the paper's ablation, section 4.4).
    """
    marginal, covariance = typical_distances(prior, len(z))
    distance = jnp.zeros((), z.dtype)
    if terms != "covariance":
        distance = distance + marginal_distance(z, prior) / marginal
    if terms != "marginals":
        distance = distance + covariance_distance(z, prior) / covariance
    return distance


@lru_cache
def typical_distances(prior: Mixture, batch_size: int) -> tuple[float, float]:
    """The means of both over 64 draws of a batch from the prior."""
    with jax.ensure_compile_time_eval():
        draws = [jnp.asarray(prior.sample(batch_size, seed)) for seed in range(_DRAWS)]
        marginal = np.mean([marginal_distance(z, prior) for z in draws])
        return float(marginal), float(np.mean([covariance_distance(z, prior) for z in draws]))
