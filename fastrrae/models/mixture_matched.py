"""Coefficients pulled towards a mixture of Gaussians, in coordinates that may be aligned with clusters of the codes."""

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from jax.typing import ArrayLike

from .bottlenecks import Latent
from .priors import MixturePrior


class Chart(nnx.Variable):
    """An affine map of latent vectors or its inverse, not trained: (1 + rank, rank), the offset first."""


class Pull(nnx.Variable):
    """Whether the prior pulls, () float: 1 or 0."""


class MixtureMatched(nnx.Module):
    """The GMM-DAE (Saseendran et al. 2021): an autoencoder whose coefficients a penalty pulls towards `prior`.

    Coefficients are the latent vectors themselves, as in the paper, or their image under an affine chart that
    `set_chart` brings in: the decoder gets the same latent vectors, only the prior sees them in other coordinates.

    Args:
        prior: the mixture; its rank is that of the bottleneck.
        waits: the prior does not pull until there is a chart.
    """

    def __init__(self, prior: MixturePrior, *, waits: bool = False):
        self.latent_size = self.rank = prior.rank
        self.prior = prior
        identity = jnp.eye(1 + prior.rank)[:, 1:]
        self.chart, self.inverse = Chart(identity), Chart(identity)
        self.pull = Pull(jnp.asarray(0.0 if waits else 1.0))

    def set_chart(self, chart: ArrayLike) -> None:
        """From now on coefficients are `z @ chart[1:] + chart[0]`, and the prior pulls; it must be invertible."""
        offset, *matrix = np.asarray(chart, np.float64)
        if np.shape(matrix) != (self.rank, self.rank):
            raise ValueError(f"`chart` must have shape {(1 + self.rank, self.rank)}; got {np.shape(chart)}")
        back = np.linalg.inv(matrix)
        for variable, affine in ((self.chart, chart), (self.inverse, np.vstack([-offset @ back, back]))):
            variable.set_value(jnp.asarray(affine, variable[...].dtype))
        self.pull.set_value(jnp.ones_like(self.pull[...]))

    def __call__(self, z: Array) -> Latent:
        return Latent(z, self.coefficients(z))

    def coefficients(self, z: Array) -> Array:
        return _affine(z, self.chart[...])

    def expand(self, coefficients: Array) -> Array:
        return _affine(coefficients, self.inverse[...])


def _affine(x: Array, chart: Array) -> Array:
    return x @ chart[1:] + chart[0]
