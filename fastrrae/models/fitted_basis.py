"""What RRAE and VRRAE share: the SVD of the batch in training, a basis fitted on the training set at inference."""

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from fastrrae_kernels import TruncatedSVD

from ..errors import BasisNotFitted
from .svd_of_batch import low_rank_and_svd_of_batch

LowRankAndSVD = Callable[[Array, int, Array | None], tuple[Array, TruncatedSVD]]
"""`(z, rank, active_rank) -> (the best approximation of z, its truncated SVD)`, of the whole batch."""


class Basis(nnx.Variable):
    """Rows spanning the latent space that a trained rank-reducing model uses, (rank, latent_size)."""


class ActiveRank(nnx.Variable):
    """How many of a model's coefficients are used, an int32 scalar: a rank that training may lower."""


class FittedBasis(nnx.Module):
    """The base of bottlenecks that reduce the rank of the latent matrix.

    With an `adaptive` rank, only the first of the `rank` coefficients count, as many as `set_active_rank` says; the
    others are zero, and so are their rows of the basis.

    Args:
        latent_size: width of the latent matrix.
        rank: how many coefficients describe a sample.
        adaptive: whether training may lower the rank.
        svd: how the batch is decomposed; by default by `fastrrae_kernels`, over all devices that share the batch.
    """

    def __init__(
        self, latent_size: int, rank: int, *, adaptive: bool = False, svd: LowRankAndSVD = low_rank_and_svd_of_batch
    ):
        self.latent_size, self.rank = latent_size, rank
        self.active_rank = ActiveRank(jnp.asarray(rank, jnp.int32)) if adaptive else None
        self.basis = Basis(jnp.zeros((rank, latent_size), jnp.float32))
        self.svd = svd
        self.fitted = False
        self.deterministic = False

    def set_basis(self, basis: Array) -> None:
        """Take an orthonormal basis (rank, latent_size), such as `fit_basis` computes, for inference from now on."""
        if basis.shape != (self.rank, self.latent_size):
            raise ValueError(f"`basis` must have shape {(self.rank, self.latent_size)}; got {basis.shape}")
        if not np.any(np.asarray(basis)):
            raise ValueError("`basis` must have orthonormal rows; got zeros, as before it is fitted")
        self.basis.set_value(self._in_use(jnp.asarray(basis, self.basis[...].dtype).T).T)
        self.fitted = True

    def set_active_rank(self, rank: Array) -> None:
        """Let only the first `rank` coefficients count, from now on."""
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
        return self.svd(z, self.rank, None if self.active_rank is None else self.active_rank[...])

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
