"""The terms of a VAE with an implicit optimal prior (Takahashi et al. 2019)."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from .kl_divergence import Reduction, kl_divergence, reducer


def kl_to_implicit_prior(reduction: Reduction) -> Callable[[Any, Array, Any], Array]:
    """The penalty `KL(q(z | x) || N(0, I)) - T(z)` at the draw that is decoded (equation 9).

    `T` is the log-ratio log q(z) / N(z; 0, I), by the prior's `log_ratio`; its parameters are not trained by this term.
    The model needs a prior with `log_ratio`.

    Args:
        reduction: sum or mean over the samples of a batch.
    """
    reduce = reducer(reduction)

    def penalty(model: Any, x: Array, output: Any) -> Array:
        latent = output.latent
        graph, state = nnx.split(model.prior.log_ratio)
        fixed = nnx.merge(graph, jax.lax.stop_gradient(state))
        return reduce(kl_divergence(latent.mean, latent.logvar) - fixed(latent.z))

    return penalty


def density_ratio_penalty(model: Any, x: Array, output: Any) -> Array:
    """The penalty by which `log_ratio` is trained: the logistic loss of telling codes from draws of N(0, I).

    At its minimum the ratio is that of the two densities (equation 8). Encoder and decoder are not trained by it.
    """
    z = jax.lax.stop_gradient(output.latent.z)
    drawn = model.bottleneck.draw_prior(len(z))
    log_ratio = model.prior.log_ratio
    return jnp.mean(jax.nn.softplus(-log_ratio(z))) + jnp.mean(jax.nn.softplus(log_ratio(drawn)))
