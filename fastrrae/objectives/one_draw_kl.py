"""The KL term by one draw, where neither the prior nor the posterior need be Gaussian."""

from collections.abc import Callable
from typing import Any

from jax import Array

from .kl_divergence import Reduction, reducer


def one_draw_kl_penalty(reduction: Reduction) -> Callable[[Any, Array, Any], Array]:
    """The penalty `(model, x, output) -> scalar`: `log q(z | x) - log p(z)` at the draw that is decoded.

    Its mean over draws is KL(q(z | x) || p). The model needs a `prior` with `log_prob`, and a bottleneck whose `Latent`
    has a `log_prob`, that of its draw.

    Args:
        reduction: sum or mean over the samples of a batch.
    """
    reduce = reducer(reduction)

    def penalty(model: Any, x: Array, output: Any) -> Array:
        if output.latent.log_prob is None:
            raise ValueError("the KL term by one draw needs a bottleneck whose `Latent` has a `log_prob`")
        return reduce(output.latent.log_prob - model.prior.log_prob(output.latent.z))

    return penalty
