"""The variational autoencoder, and its beta-VAE weighting (Kingma and Welling 2014; Higgins et al. 2017)."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from flax import nnx
from jax import Array

from ..objectives.kl_divergence import Reduction, kl_penalty
from .base import Model, Penalty
from .bottleneck import Bottleneck, Latent
from .gaussian_posterior import GaussianPosterior, Mean
from .priors import Density, StandardNormal


class VariationalBottleneck(nnx.Module):
    """`q = mean(z) + exp(logvar(z) / 2) * eps`, both maps linear.

    `mean="identity"` is the ablation VAE (f = I) of the VRRAE paper. The prior is the standard normal, or another one.
    With `bounded`, variances stay below 1.
    """

    def __init__(
        self,
        rank: int,
        mean: Mean = "linear",
        prior: Density | None = None,
        *,
        bounded: bool = False,
        rngs: nnx.Rngs,
    ):
        self.latent_size = self.rank = rank
        self.prior = StandardNormal(rank) if prior is None else prior
        self.posterior = GaussianPosterior(rank, mean, bounded=bounded, rngs=rngs)
        self.deterministic = False

    def __call__(self, z: Array) -> Latent:
        mean = self.posterior.mean(z)
        logvar = self.posterior.logvar(z)
        return Latent(mean if self.deterministic else mean + self.posterior.sample_noise(logvar), mean, logvar)

    def coefficients(self, z: Array) -> Array:
        """The means of the posterior."""
        return self.posterior.mean(z)

    def expand(self, coefficients: Array) -> Array:
        """The coefficients, unchanged."""
        return coefficients


@dataclass(frozen=True)
class VAE(Model):
    """The variational autoencoder. The weight of its KL term is the beta of the beta-VAE."""

    name: ClassVar[str] = "vae"
    title: ClassVar[str] = "variational autoencoder, beta-VAE"
    draws_noise: ClassVar[bool] = True

    mean: Literal["identity", "linear"] = "linear"
    """Map from the latent vector to the means."""
    kl_reduction: Reduction = "sum"
    """How the KL term is reduced over the batch; the weights in the papers belong to the sum."""
    bounded_variance: bool = False
    """Keep the variances of the coefficients below 1, that of a standard normal. Otherwise the KL term alone limits
    them; where its weight is small, they can grow without limit on samples with large coefficients."""

    def bottleneck(self, rngs: nnx.Rngs) -> Bottleneck:
        """A Gaussian for each sample."""
        return VariationalBottleneck(self.rank, self.mean, bounded=self.bounded_variance, rngs=rngs)

    def penalties(self) -> dict[str, Penalty]:
        """The KL term."""
        return {"kl": kl_penalty(self.kl_reduction)}
