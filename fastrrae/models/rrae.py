"""The RRAE: a wide latent space whose rank is reduced, batch by batch, by a truncated SVD."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
from flax import nnx
from jax import Array, lax

from fastrrae_kernels import Tracked

from ..config_fields import NonNegativeFloat, PositiveFloat, PositiveInt, Share, refuse
from ..errors import InputError
from .adaptive_rank import AdaptiveRank
from .base import Model, StepHook
from .bottleneck import Bottleneck, Latent
from .fitted_basis import FittedBasis, LowRankAndSVD
from .svd_of_batch import low_rank_and_svd_of_batch
from .tracked_svd import CountExact, TrackedSVD


class RankReduction(FittedBasis):
    """The latent matrix of the batch is replaced by its best approximation of the given rank.

    At inference each latent vector is projected on the fitted basis: `z @ basis.T @ basis`.
    """

    prior = None

    def __call__(self, z: Array) -> Latent:
        if self.deterministic:
            alpha = self.coefficients(z)
            return Latent(self.expand(alpha), alpha)
        reduced, svd = self.reduce(z)
        return Latent(reduced, lax.stop_gradient(svd.u * svd.s))

    def coefficients(self, z: Array) -> Array:
        """Coordinates in the fitted basis."""
        return self.coordinates(z)


@dataclass(frozen=True)
class RRAE(Model):
    """The rank-reduction autoencoder (RRAE, arXiv:2405.13980).

    In training, the latent matrix `z` (batch, latent_size) of the whole batch is
    replaced by its best approximation of the given rank. At inference, each latent
    vector is projected on a basis fitted on the training set:
    `z @ basis.T @ basis`, with the coefficients `z @ basis.T`.
    """

    name: ClassVar[str] = "rrae"
    title: ClassVar[str] = "rank-reduction autoencoder"

    latent_size: PositiveInt = 100
    """Width of the latent space whose rank is reduced (L)."""
    adaptive_rank: bool = False
    """Lower the rank while training, as long as the loss returns to its settled value; training starts at the rank that
    is given."""
    rank_window: PositiveInt = 50
    """Steps over which the adaptive rank averages the loss before it decides anything."""
    rank_patience: PositiveInt = 4
    """Windows without improvement (of 1 %) after which the loss has settled, or a rank is given up."""
    rank_settle: Share = 0.5
    """Share of the steps after which the loss is taken as settled in any case."""
    rank_tolerance: NonNegativeFloat = 0.05
    """Share by which the loss at a lower rank may exceed that at the first rank."""
    svd: Literal["exact", "tracked"] = "exact"
    """How a batch is decomposed in training. tracked: by subspace iteration from the basis of the step before, and
    exactly where its residual is too large."""
    svd_tolerance: PositiveFloat = 0.05
    """Residual of a tracked SVD above which a batch is decomposed exactly: the root mean square over its singular
    vectors, each relative to its singular value."""
    svd_refresh: PositiveInt = 100
    """Steps after which a tracked SVD is exact in any case."""

    @classmethod
    def sharing(cls, other: Model, **changes: Any) -> Self:
        """If the other model has no separate latent size, it becomes twice the rank at least."""
        if not isinstance(other, RRAE):
            changes = {"latent_size": max(cls.latent_size, 2 * other.rank), **changes}
        return super().sharing(other, **changes)

    def bottleneck(self, rngs: nnx.Rngs) -> Bottleneck:
        """The truncated SVD of the batch."""
        return RankReduction(self.latent_size, self.rank, adaptive=self.adaptive_rank, svd=self.svd_in_training())

    def svd_in_training(self) -> LowRankAndSVD:
        """How a bottleneck decomposes batches; a new one has tracked nothing yet."""
        if self.svd == "exact":
            return low_rank_and_svd_of_batch
        return TrackedSVD(self.latent_size, self.rank, Tracked(tolerance=self.svd_tolerance), self.svd_refresh)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rank > self.latent_size:
            refuse(
                f"`model.rank` must be at most `model.latent_size` = {self.latent_size}; got {self.rank}. Lower the "
                f"rank or raise the latent size"
            )
        if self.adaptive_rank and self.svd == "tracked":
            refuse("`model.svd` must be exact with `model.adaptive_rank`; got tracked")

    def check_batch(self, batch_size: int) -> None:
        """The latent matrix of a (micro-)batch is (batch_size, latent_size): its rank cannot be larger than either."""
        most = min(batch_size, self.latent_size)
        if self.rank > most:
            raise InputError(
                f"`model.rank` must be at most min(batch size, latent size) = min({batch_size}, {self.latent_size}) = "
                f"{most}; got {self.rank}. Lower it, or raise the smaller of `training.batch_size` and "
                f"`model.latent_size`"
            )
        block = Tracked().block(self.rank)
        if self.svd == "tracked" and not Tracked().applies(self.rank, most):
            raise InputError(
                f"`model.svd` tracked needs min(batch size, latent size) to be at least {2 * block}, twice its "
                f"{block} directions for rank {self.rank}; got min({batch_size}, {self.latent_size}) = {most}. Use "
                f"exact, which is as fast there"
            )

    def check_reconstruction(self, reconstruction: str) -> None:
        """The search compares losses by their ratio, and the loss of a learned variance may be negative."""
        if self.adaptive_rank and reconstruction == "gaussian":
            raise InputError(
                "`model.adaptive_rank` needs a positive loss; that of `objective.reconstruction` gaussian may be "
                "negative. Use relative or mse"
            )

    def step_hook(self, steps: int) -> StepHook | None:
        """The search for a lower rank, with `adaptive_rank`; the count of exact decompositions, of a tracked SVD."""
        if self.svd == "tracked":
            return CountExact()
        if not self.adaptive_rank:
            return None
        latest = round(self.rank_settle * steps)
        return AdaptiveRank(self.rank_window, self.rank_patience, self.rank_tolerance, latest)

    def evaluate(
        self, bottleneck: Bottleneck, coefficients: np.ndarray, samples: Any, labels: np.ndarray | None, seed: int
    ) -> dict[str, float]:
        """The rank that the search has found, with `adaptive_rank`; the share of exact steps, of a tracked SVD."""
        found: dict[str, float] = {}
        if isinstance(bottleneck, FittedBasis) and bottleneck.active_rank is not None:
            found["rank_found"] = float(bottleneck.active_rank[...])
        if isinstance(bottleneck, FittedBasis) and isinstance(bottleneck.svd, TrackedSVD):
            found["exact_svd_share"] = bottleneck.svd.exact_share
        return found
