"""The GMM-DAE: coefficients distributed like a mixture of Gaussians (Saseendran et al. 2021).

Optionally the prior is delayed and then aligned with the clusters that the autoencoder has found, see
`gmm_dae_alignment.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from jax.typing import ArrayLike

from ..config_fields import NonNegativeFloat, PositiveFloat, PositiveInt, ShareBelowOne, refuse
from ..metrics.clustering import cluster_by_k_means, clustering_accuracy
from ..objectives.mixture_distance import Terms, mixture_distance
from .autoencoder import Autoencoder, Output
from .base import Model, Penalty, TrainingContext, TrainingEvent
from .bottleneck import Bottleneck, Latent
from .gmm_dae_alignment import align_prior
from .mixture_prior import Matrix, MixturePrior

K_MEANS_SAMPLES = 10_000  # of the training set, that k-means is tried on


class AffineMap(nnx.Variable):
    """An affine map of latent vectors or its inverse, not trained: (1 + rank, rank), the offset first."""


class PriorWeight(nnx.Variable):
    """The factor of the prior's penalty, () float: 0 while the prior is delayed, 1 afterwards."""


class MixtureMatched(nnx.Module):
    """An autoencoder's bottleneck whose coefficients a penalty compares with a mixture.

    Coefficients are the latent vectors themselves, as in the paper, or their image under an affine map that
    `set_affine_map` brings in: the decoder gets the same latent vectors, only the prior sees other coordinates.

    Args:
        prior: the mixture; its rank is that of the bottleneck.
        delayed: the prior's penalty is zero until an affine map is set.
    """

    def __init__(self, prior: MixturePrior, *, delayed: bool = False):
        self.latent_size = self.rank = prior.rank
        self.prior = prior
        identity = jnp.eye(1 + prior.rank)[:, 1:]
        self.affine_map, self.inverse_map = AffineMap(identity), AffineMap(identity)
        self.prior_weight = PriorWeight(jnp.asarray(0.0 if delayed else 1.0))

    def set_affine_map(self, affine_map: ArrayLike) -> None:
        """From now on coefficients are `z @ affine_map[1:] + affine_map[0]`, and the prior counts.

        The map must be invertible.
        """
        offset, *matrix = np.asarray(affine_map, np.float64)
        if np.shape(matrix) != (self.rank, self.rank):
            raise ValueError(f"`affine_map` must have shape {(1 + self.rank, self.rank)}; got {np.shape(affine_map)}")
        inverse = np.linalg.inv(matrix)
        inverse_map = np.vstack([-offset @ inverse, inverse])
        for variable, values in ((self.affine_map, affine_map), (self.inverse_map, inverse_map)):
            variable.set_value(jnp.asarray(values, variable[...].dtype))
        self.prior_weight.set_value(jnp.ones_like(self.prior_weight[...]))

    def __call__(self, z: Array) -> Latent:
        return Latent(z, self.coefficients(z))

    def coefficients(self, z: Array) -> Array:
        """The latent vectors in the coordinates of the prior."""
        return _apply(self.affine_map[...], z)

    def expand(self, coefficients: Array) -> Array:
        """Latent vectors from the coordinates of the prior."""
        return _apply(self.inverse_map[...], coefficients)


@dataclass(frozen=True)
class GMMDAE(Model):
    """The autoencoder whose codes follow a mixture of Gaussians; its components are clusters."""

    name: ClassVar[str] = "gmm-dae"
    title: ClassVar[str] = "GMM-DAE, mixture prior"
    default_weights: ClassVar[Mapping[str, float]] = {"mixture_distance": 5.0}

    components: PositiveInt = 10
    """Gaussians in the prior."""
    distance: NonNegativeFloat = 8.0
    """Distance of the Gaussians' centres from the origin, each along a different coordinate; with more components than
    coordinates, in well spread directions."""
    component_weights: tuple[PositiveFloat, ...] = ()
    """Weights of the Gaussians, divided by their sum; by default all are equally likely."""
    component_deviations: tuple[PositiveFloat, ...] = ()
    """Standard deviations of the Gaussians, the same in all directions; by default 1."""
    terms: Terms = "both"
    """What is compared with the prior: the marginal distributions of the codes, their covariance, or both."""
    align_after: ShareBelowOne = 0.0
    """Share of the steps after which the prior begins to count, with its Gaussians aligned with the clusters that the
    autoencoder has found by then; 0: from the start, as in the paper."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("component_weights", "component_deviations"):
            given = getattr(self, name)
            if given and len(given) != self.components:
                refuse(
                    f"`model.{name}` must be as many as `model.components`, {self.components}; got {len(given)} values"
                )

    @property
    def prior(self) -> MixturePrior:
        """The mixture."""
        covariances = tuple(_isotropic(deviation, self.rank) for deviation in self.component_deviations)
        return MixturePrior(self.rank, self.components, self.distance, self.component_weights, covariances)

    def bottleneck(self, rngs: nnx.Rngs) -> Bottleneck:
        """The latent vectors in the coordinates of the prior."""
        return MixtureMatched(self.prior, delayed=self.align_after > 0)

    def penalties(self) -> dict[str, Penalty]:
        """The distance between the distribution of a batch's coefficients and the prior."""
        return {"mixture_distance": partial(_mixture_distance, terms=self.terms)}

    def events(self, steps: int) -> Sequence[TrainingEvent]:
        """The alignment, with `align_after`."""
        return [TrainingEvent(int(self.align_after * steps) + 1, _align)] if self.align_after else []

    def evaluate(
        self, bottleneck: Bottleneck, coefficients: np.ndarray, samples: Any, labels: np.ndarray | None, seed: int
    ) -> dict[str, float]:
        """Clustering accuracies on the training set: of the prior's components, and of k-means on the values."""
        if labels is None or not isinstance(bottleneck.prior, MixturePrior):
            return {}
        first = slice(K_MEANS_SAMPLES)
        k_means = cluster_by_k_means(samples[first], self.components, seed)
        return {
            "clustering_accuracy": 100 * clustering_accuracy(bottleneck.prior.assign(coefficients), labels),
            "clustering_accuracy_of_k_means": 100 * clustering_accuracy(k_means, labels[first]),
        }


def _align(model: Autoencoder, context: TrainingContext) -> None:
    bottleneck = model.bottleneck
    assert isinstance(bottleneck, MixtureMatched)
    codes, prior = context.coefficients(), bottleneck.prior
    # Two kinds of processors may round to two sets of clusters, so that all processes take the main one's map.
    affine_map = context.from_main_process(
        lambda: align_prior(prior, codes, context.seed), bottleneck.affine_map[...].shape
    )
    bottleneck.set_affine_map(affine_map)


def _mixture_distance(model: Autoencoder, x: Array, output: Output, *, terms: Terms) -> Array:
    bottleneck = model.bottleneck
    assert isinstance(bottleneck, MixtureMatched)
    return bottleneck.prior_weight[...] * mixture_distance(output.latent.mean, bottleneck.prior, terms)


def _isotropic(deviation: float, rank: int) -> Matrix:
    return tuple(map(tuple, (deviation**2 * np.eye(rank)).tolist()))


def _apply(affine_map: Array, x: Array) -> Array:
    return x @ affine_map[1:] + affine_map[0]
