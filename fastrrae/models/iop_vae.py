"""The VAE with an implicit optimal prior: the mean of all posteriors, by a classifier (Takahashi et al. 2019)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import jax
import numpy as np
from flax import nnx
from jax import Array

from ..config_fields import PositiveInt
from ..networks.mlp import MLP
from ..objectives.density_ratio import density_ratio_penalty, kl_to_implicit_prior
from .base import Penalty
from .bottleneck import Bottleneck
from .gaussian_posterior import Mean
from .inference import infer
from .info_vae import VariationalBottleneckWithDraws
from .priors import StandardNormal
from .vae import VAE

_PROPOSALS = 64  # from the standard normal, for each draw
_NORMALISERS = 20_000  # draws of the standard normal by which the density is normalised


class LogRatio(nnx.Module):
    """`T(z) = log q(z) / N(z; 0, I)` of (batch, rank): (batch,), by a network with two hidden layers."""

    def __init__(self, rank: int, width: int, *, rngs: nnx.Rngs):
        self.network = MLP((rank, width, width, 1), rngs=rngs)

    def __call__(self, z: Array) -> Array:
        return self.network(z)[:, 0]


class ImplicitPrior(nnx.Module):
    """The density proportional to `N(z; 0, I) exp(T(z))`, with a classifier's log-ratio T.

    Args:
        rank: the number of coefficients.
        width: units of the classifier's hidden layers.
        rngs: random streams of its initial weights.
    """

    def __init__(self, rank: int, width: int, *, rngs: nnx.Rngs):
        self.rank = rank
        self.log_ratio = LogRatio(rank, width, rngs=rngs)

    def describe(self) -> str:
        """In words, for protocols."""
        return (
            f"an implicit optimal prior: one of {_PROPOSALS} draws from a standard normal, chosen by a classifier's "
            f"density ratio"
        )

    def log_prob(self, z: Array) -> Array:
        """The logarithm of the density at `z` (batch, rank): (batch,), in nats.

        It is normalised by the mean of exp(T) over 20,000 draws of the standard normal.
        """
        draws = jax.random.normal(jax.random.key(0), (_NORMALISERS, self.rank))
        log_constant = jax.nn.logsumexp(self.log_ratio(draws)) - math.log(_NORMALISERS)
        return StandardNormal(self.rank).log_prob(z) + self.log_ratio(z) - log_constant

    def sample(self, count: int, seed: int) -> np.ndarray:
        """Draw `count` coefficient vectors, (count, rank), float32, by importance resampling.

        For each, 64 draws of the standard normal are made, and one is chosen with probability proportional to exp(T).
        """
        rng = np.random.default_rng(seed)
        chosen = [self._resample(min(512, count - start), rng) for start in range(0, count, 512)]
        return np.concatenate(chosen)

    def _resample(self, count: int, rng: np.random.Generator) -> np.ndarray:
        proposals = rng.standard_normal((count, _PROPOSALS, self.rank), np.float32)
        scores = infer(self.log_ratio, "__call__", proposals.reshape(-1, self.rank), batch_size=1 << 15)
        noisy = scores.reshape(count, _PROPOSALS) + rng.gumbel(size=(count, _PROPOSALS))
        return proposals[np.arange(count), noisy.argmax(axis=1)]


class ImplicitPriorBottleneck(VariationalBottleneckWithDraws):
    """The VAE's bottleneck, and a classifier that tells its draws from a standard normal.

    Args:
        rank: how many coefficients describe a sample.
        mean: the map from the latent vector to the means.
        width: units of the classifier's hidden layers.
        bounded: whether variances stay below 1, see `GaussianPosterior`.
        rngs: random streams of the layers and the noise.
    """

    def __init__(self, rank: int, mean: Mean, width: int, *, bounded: bool = False, rngs: nnx.Rngs):
        super().__init__(rank, mean, ImplicitPrior(rank, width, rngs=rngs), bounded=bounded, rngs=rngs)


@dataclass(frozen=True)
class IOPVAE(VAE):
    """The VAE with an implicit optimal prior.

    The prior that maximises the evidence lower bound is the mean of all posteriors, q(z). A classifier learns the
    log-ratio of q(z) and the standard normal, which the KL term is corrected by.
    """

    name: ClassVar[str] = "iop-vae"
    title: ClassVar[str] = "VAE, implicit optimal prior"
    default_weights: ClassVar[Mapping[str, float]] = {"kl": 1e-3, "density_ratio": 1.0}

    classifier_width: PositiveInt = 64
    """Units of the classifier's two hidden layers."""

    def bottleneck(self, rngs: nnx.Rngs) -> Bottleneck:
        """A Gaussian for each sample, and the classifier."""
        return ImplicitPriorBottleneck(
            self.rank, self.mean, self.classifier_width, bounded=self.bounded_variance, rngs=rngs
        )

    def penalties(self) -> dict[str, Penalty]:
        """The corrected KL term, and the logistic loss of the classifier."""
        return {"kl": kl_to_implicit_prior(self.kl_reduction), "density_ratio": density_ratio_penalty}
