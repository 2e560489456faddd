"""The VRRAE: the coefficients of the SVD of the batch are the means of Gaussians, which are sampled and penalised."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from flax import nnx
from jax import Array

from fastrrae_kernels import fixed_signs

from ..objectives.kl_divergence import Reduction, kl_penalty
from .base import Penalty
from .bottleneck import Bottleneck, Latent
from .fitted_basis import FittedBasis, LowRankAndSVD
from .gaussian_posterior import GaussianPosterior, Mean
from .priors import StandardNormal
from .rrae import RRAE
from .svd_of_batch import low_rank_and_svd_of_batch


class VariationalRankReduction(FittedBasis):
    """The coefficients `alpha = u * s` of the truncated SVD are the means of Gaussians, then sampled.

    `mean="linear"` is the RRAE+VAE ablation of the VRRAE paper (appendix A.1). If `bounded`, variances stay below 1.
    """

    def __init__(
        self,
        latent_size: int,
        rank: int,
        mean: Mean = "identity",
        *,
        adaptive: bool = False,
        bounded: bool = True,
        svd: LowRankAndSVD = low_rank_and_svd_of_batch,
        rngs: nnx.Rngs,
    ):
        super().__init__(latent_size, rank, adaptive=adaptive, svd=svd)
        self.prior = StandardNormal(rank)
        self.posterior = GaussianPosterior(rank, mean, bounded=bounded, rngs=rngs)

    def __call__(self, z: Array) -> Latent:
        if self.deterministic:
            mean, logvar = self._posterior_of(self.coordinates(z))
            return Latent(self.expand(mean), mean, logvar)
        reduced, svd = self.reduce(z)
        u, s, vt = fixed_signs(svd)  # as those of the basis that is fitted for inference
        alpha = u * s
        mean, logvar = self._posterior_of(alpha)
        # This is (mean + noise) @ vt with its leading part alpha @ vt written as `reduced`: the derivative of the
        # low-rank approximation is exact at repeated (degenerate) singular values, that of alpha @ vt is not. On the
        # gaussians the two kept values become equal by the symmetry of the data.
        sampled = reduced + (mean - alpha + self.posterior.sample_noise(logvar)) @ vt
        return Latent(sampled, mean, logvar)

    def coefficients(self, z: Array) -> Array:
        """The means of the posterior at the coordinates in the fitted basis."""
        return self._posterior_of(self.coordinates(z))[0]

    def _posterior_of(self, alpha: Array) -> tuple[Array, Array]:
        """Mean and log-variance; a coefficient that does not count is a standard normal, at no cost in the KL term."""
        return self._in_use(self.posterior.mean(alpha)), self._in_use(self.posterior.logvar(alpha))


@dataclass(frozen=True)
class VRRAE(RRAE):
    """The variational rank-reduction autoencoder (VRRAE, arXiv:2505.09458).

    The coefficients `alpha = u * s` of the truncated SVD of the batch are the means
    of Gaussians. Their log-variances are a function of `alpha`, so the signs of the
    singular vectors matter: the entry of largest magnitude of each row of `vt` is
    positive, in training and at inference. A sample of them, times `vt`, is decoded.
    The penalty `kl` is the Kullback-Leibler divergence from the standard normal.
    """

    name: ClassVar[str] = "vrrae"
    title: ClassVar[str] = "variational rank-reduction autoencoder"
    draws_noise: ClassVar[bool] = True

    mean: Literal["identity", "linear"] = "identity"
    """Map from the coefficients of the SVD to the means."""
    kl_reduction: Reduction = "sum"
    """How the KL term is reduced over the batch; the weights in the papers belong to the sum."""
    bounded_variance: bool = True
    """Keep the variances of the coefficients below 1, that of a standard normal: log-variances are `-softplus(-h)` of a
    linear function h. Otherwise they are h, as in the paper; where the weight of the KL term is small, variances can
    then become very large on samples with large coefficients."""

    def bottleneck(self, rngs: nnx.Rngs) -> Bottleneck:
        """The truncated SVD of the batch, sampled."""
        return VariationalRankReduction(
            self.latent_size,
            self.rank,
            self.mean,
            adaptive=self.adaptive_rank,
            bounded=self.bounded_variance,
            svd=self.svd_in_training(),
            rngs=rngs,
        )

    def penalties(self) -> dict[str, Penalty]:
        """The KL term."""
        return {"kl": kl_penalty(self.kl_reduction)}
