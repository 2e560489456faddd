"""The axis along which the family varies: what happens to the latent matrix between encoder and decoder.

Samples are rows. A bottleneck turns the encoder's latent matrix `z` (batch, latent_size) into the one that the decoder
gets, and describes every sample by `rank` coefficients. In training mode it may use the whole batch and noise; in
inference mode (`model.eval()`) each sample is treated alone and without noise.
"""

from typing import Literal, NamedTuple, Protocol

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array
from jaxtyping import Float

from fastrrae_kernels import TruncatedSVD

from .global_batch import low_rank_and_svd_of_batch
from .layers import linear
from .priors import Density, StandardNormal

Mean = Literal["identity", "linear"]


class Latent(NamedTuple):
    """What a bottleneck makes of a batch."""

    z: Float[Array, "batch latent"]  # for the decoder
    mean: Float[Array, "batch rank"]  # the coefficients, or the mean of their distribution
    logvar: Float[Array, "batch rank"] | None = None  # the logarithm of their variance, of variational members


class Bottleneck(Protocol):
    """What `Autoencoder` needs of a bottleneck; a member of the family implements these."""

    latent_size: int  # what the encoder gives and the decoder takes
    rank: int  # how many coefficients describe a sample

    @property
    def prior(self) -> Density | None:
        """What coefficients are pulled towards while training, and may be drawn from; None where there is nothing."""
        ...

    def __call__(self, z: Array) -> Latent:
        """Process a batch by the current mode, training or inference."""
        ...

    def coefficients(self, z: Array) -> Array:
        """(batch, latent_size) -> (batch, rank), at inference."""
        ...

    def expand(self, coefficients: Array) -> Array:
        """(batch, rank) -> (batch, latent_size), what the decoder gets for these coefficients at inference."""
        ...


class BasisNotFitted(RuntimeError):
    """Inference with a rank-reducing model whose basis has not been fitted."""


class Basis(nnx.Variable):
    """Rows spanning the latent space that a trained rank-reducing model uses, (rank, latent_size)."""


class ActiveRank(nnx.Variable):
    """How many of a model's coefficients count, () int32: a rank that training may lower."""


class Identity(nnx.Module):
    """The plain (diabolo) autoencoder: coefficients are the latent vector itself."""

    def __init__(self, rank: int, prior: Density | None = None):
        self.latent_size = self.rank = rank
        self.prior = prior

    def __call__(self, z: Array) -> Latent:
        return Latent(z, z)

    def coefficients(self, z: Array) -> Array:
        """The latent vectors, unchanged."""
        return z

    def expand(self, coefficients: Array) -> Array:
        """The coefficients, unchanged."""
        return coefficients


class NormalMatched(Identity):
    """The latent vector itself, pulled as a whole towards a standard normal by comparing it with draws: the WAE."""

    def __init__(self, rank: int, *, rngs: nnx.Rngs):
        super().__init__(rank, StandardNormal(rank))
        self.noise = rngs.noise.fork()

    def draw_prior(self, count: int) -> Array:
        """Fresh draws (count, rank) to compare with."""
        return jax.random.normal(self.noise(), (count, self.rank))


class _PosteriorHeads(nnx.Module):
    """Mean and log-variance of the coefficients' Gaussian, and the draw from it."""

    def __init__(self, rank: int, mean: Mean, *, rngs: nnx.Rngs):
        self.mean_head = linear(rank, rank, rngs=rngs) if mean == "linear" else None
        self.logvar_head = linear(rank, rank, rngs=rngs)
        self.noise = rngs.noise.fork()

    def mean(self, alpha: Array) -> Array:
        return alpha if self.mean_head is None else self.mean_head(alpha)

    def deviation(self, logvar: Array) -> Array:
        """`exp(logvar / 2) * eps` with a fresh standard normal eps."""
        return jnp.exp(logvar / 2) * jax.random.normal(self.noise(), logvar.shape, logvar.dtype)


class Gaussian(nnx.Module):
    """The variational autoencoder: `q = mean(z) + exp(logvar(z) / 2) * eps`, both heads linear (Kingma and Welling).

    `mean="identity"` is the ablation VAE (f = I) of the VRRAE paper.
    """

    def __init__(self, rank: int, mean: Mean = "linear", *, rngs: nnx.Rngs):
        self.latent_size = self.rank = rank
        self.prior = StandardNormal(rank)
        self.posterior = _PosteriorHeads(rank, mean, rngs=rngs)
        self.deterministic = False

    def __call__(self, z: Array) -> Latent:
        mean = self.posterior.mean(z)
        logvar = self.posterior.logvar_head(z)
        return Latent(mean if self.deterministic else mean + self.posterior.deviation(logvar), mean, logvar)

    def draw_prior(self, count: int) -> Array:
        """Fresh draws (count, rank) from the standard normal."""
        return jax.random.normal(self.posterior.noise(), (count, self.rank))

    def coefficients(self, z: Array) -> Array:
        """The means of the posterior."""
        return self.posterior.mean(z)

    def expand(self, coefficients: Array) -> Array:
        """The coefficients, unchanged."""
        return coefficients


class FittedBasis(nnx.Module):
    """What RRAE and VRRAE share at inference: coordinates in a basis fitted once on the training set.

    With an `adaptive` rank, only the first of the `rank` coefficients count, as many as `set_active_rank` says; the
    others are zero, and so are their rows of the basis.
    """

    def __init__(self, latent_size: int, rank: int, *, adaptive: bool = False):
        self.latent_size, self.rank = latent_size, rank
        self.active_rank = ActiveRank(jnp.asarray(rank, jnp.int32)) if adaptive else None
        self.basis = Basis(jnp.zeros((rank, latent_size)))
        self.fitted = False
        self.deterministic = False

    def set_basis(self, basis: Array) -> None:
        """Take an orthonormal basis (rank, latent_size), such as `fit_basis` computes, for inference from now on."""
        if basis.shape != (self.rank, self.latent_size):
            raise ValueError(f"`basis` must have shape {(self.rank, self.latent_size)}; got {basis.shape}")
        self.basis.set_value(self._in_use(jnp.asarray(basis, self.basis[...].dtype).T).T)
        self.fitted = True

    def set_active_rank(self, rank: Array) -> None:
        """Let the first so many coefficients count, from now on."""
        if self.active_rank is None:
            raise ValueError("only a bottleneck made with `adaptive=True` has a rank that changes")
        self.active_rank.set_value(jnp.asarray(rank, jnp.int32))

    def coordinates(self, z: Array) -> Array:
        """`z @ basis.T`."""
        return z @ self._require_basis().T

    def expand(self, coefficients: Array) -> Array:
        """`coefficients @ basis`."""
        return coefficients @ self._require_basis()

    def reduce(self, z: Array) -> tuple[Array, TruncatedSVD]:
        """The best approximation of a whole batch of latent vectors, and its SVD."""
        return low_rank_and_svd_of_batch(z, self.rank, None if self.active_rank is None else self.active_rank[...])

    def _in_use(self, coefficients: Array) -> Array:
        """Coefficients (..., rank) with zeros for those that do not count."""
        if self.active_rank is None:
            return coefficients
        return jnp.where(jnp.arange(self.rank) < self.active_rank[...], coefficients, 0)

    def _require_basis(self) -> Array:
        if not self.fitted:
            raise BasisNotFitted(
                "this model reduces ranks by a basis that is fitted on the training set, and none has been fitted yet: "
                "call `model.fit_basis(batches)` after training (in training mode, `model.train()`, none is needed)"
            )
        return self.basis[...]


class RankReduction(FittedBasis):
    """The RRAE: the latent matrix of the batch is replaced by its best approximation of the given rank."""

    prior = None

    def __call__(self, z: Array) -> Latent:
        if self.deterministic:
            alpha = self.coefficients(z)
            return Latent(self.expand(alpha), alpha)
        reduced, svd = self.reduce(z)
        return Latent(reduced, jax.lax.stop_gradient(svd.u * svd.s))

    def coefficients(self, z: Array) -> Array:
        """Coordinates in the fitted basis."""
        return self.coordinates(z)


class VariationalRankReduction(FittedBasis):
    """The VRRAE: the coefficients `alpha = u * s` of the truncated SVD are the means of Gaussians, then sampled.

    `mean="linear"` is the RRAE+VAE ablation of the VRRAE paper (appendix A.1).
    """

    def __init__(self, latent_size: int, rank: int, mean: Mean = "identity", *, adaptive: bool = False, rngs: nnx.Rngs):
        super().__init__(latent_size, rank, adaptive=adaptive)
        self.prior = StandardNormal(rank)
        self.posterior = _PosteriorHeads(rank, mean, rngs=rngs)

    def __call__(self, z: Array) -> Latent:
        if self.deterministic:
            mean, logvar = self._posterior_of(self.coordinates(z))
            return Latent(self.expand(mean), mean, logvar)
        reduced, svd = self.reduce(z)
        alpha = svd.u * svd.s
        mean, logvar = self._posterior_of(alpha)
        # (mean + deviation) @ vt, with its leading part alpha @ vt written as what it is: the derivatives of `low_rank`
        # are exact where singular values are tied, and the gaussians' two become equal by the symmetry of their data.
        sampled = reduced + (mean - alpha + self.posterior.deviation(logvar)) @ svd.vt
        return Latent(sampled, mean, logvar)

    def coefficients(self, z: Array) -> Array:
        """The means of the posterior at the coordinates in the fitted basis."""
        return self._posterior_of(self.coordinates(z))[0]

    def _posterior_of(self, alpha: Array) -> tuple[Array, Array]:
        """Mean and log-variance; a coefficient that does not count is a standard normal, at no cost in the KL term."""
        return self._in_use(self.posterior.mean(alpha)), self._in_use(self.posterior.logvar_head(alpha))
