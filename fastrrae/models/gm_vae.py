"""The VAE with a mixture of Gaussians as its prior, trained with it."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from flax import nnx

from ..config_fields import PositiveInt
from ..metrics.clustering import clustering_accuracy
from .bottleneck import Bottleneck
from .one_draw_vae import OneDrawBottleneck, OneDrawVAE
from .trainable_mixture import TrainableMixture


@dataclass(frozen=True)
class GMVAE(OneDrawVAE):
    """The Gaussian-mixture VAE: weights, means and variances of the prior's components are trained.

    The component is summed over, in the density of the prior: there is no posterior of components to be inferred by a
    network, as in Dilokthanakul et al. (2016).
    """

    name: ClassVar[str] = "gm-vae"
    title: ClassVar[str] = "VAE, trained mixture as prior"

    components: PositiveInt = 10
    """Gaussians in the prior."""

    def bottleneck(self, rngs: nnx.Rngs) -> Bottleneck:
        """A Gaussian for each sample, and the mixture."""
        prior = TrainableMixture(self.rank, self.components, rngs=rngs)
        return OneDrawBottleneck(self.rank, self.mean, prior, bounded=self.bounded_variance, rngs=rngs)

    def evaluate(
        self, bottleneck: Bottleneck, coefficients: np.ndarray, samples: Any, labels: np.ndarray | None, seed: int
    ) -> dict[str, float]:
        """The clustering accuracy of the prior's components on the training set."""
        if labels is None or not isinstance(bottleneck.prior, TrainableMixture):
            return {}
        clusters = bottleneck.prior.assign(coefficients)
        return {"clustering_accuracy": 100 * clustering_accuracy(clusters, labels)}
