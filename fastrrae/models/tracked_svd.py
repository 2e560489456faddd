"""The SVD of the batch that begins with the basis of the step before: the state of training that this needs."""

from typing import Any

import jax.numpy as jnp
from flax import nnx
from jax import Array

from fastrrae_kernels import Tracked, TruncatedSVD

from .autoencoder import Autoencoder
from .svd_of_batch import tracked_low_rank_and_svd_of_batch


class TrackedBasis(nnx.Variable):
    """Rows in latent space where the last SVD has ended, (rank and some more, latent_size); zeros before the first."""


class TrackedSteps(nnx.Variable):
    """A count of decompositions, an int32 scalar."""


class TrackedSVD(nnx.Module):
    """The SVD of a batch, from the basis of the last one; exact at first, where that is not enough, and now and then.

    It takes the place of `low_rank_and_svd_of_batch` in a bottleneck. What it knows of the last batch is a part of the
    model's state, and so of checkpoints, like running means.

    Args:
        latent_size: width of the latent matrix.
        rank: how many coefficients describe a sample.
        method: how the basis is taken on, and when it is given up.
        refresh: how many decompositions may follow on each other without an exact one.

    Example:
        >>> bottleneck = RankReduction(64, 16, svd=TrackedSVD(64, 16))
    """

    def __init__(self, latent_size: int, rank: int, method: Tracked | None = None, refresh: int = 100):
        self.method, self.refresh = method or Tracked(), refresh
        self.basis = TrackedBasis(jnp.zeros((self.method.block(rank), latent_size), jnp.float32))
        self.age = TrackedSteps(jnp.zeros((), jnp.int32))  # decompositions since the last exact one
        self.taken = TrackedSteps(jnp.zeros((), jnp.int32))  # in all
        self.exact = TrackedSteps(jnp.zeros((), jnp.int32))  # of these, the exact ones

    def __call__(self, z: Array, rank: int, active_rank: Array | None = None) -> tuple[Array, TruncatedSVD]:
        start = jnp.where(self.age[...] < self.refresh, self.basis[...], 0)
        found = tracked_low_rank_and_svd_of_batch(z, rank, start, self.method, active_rank)
        exact = found.exact > 0
        self.basis.set_value(found.basis)
        self.age.set_value(jnp.where(exact, 0, self.age[...] + 1))
        self.taken.set_value(self.taken[...] + 1)
        self.exact.set_value(self.exact[...] + exact)
        return found.low_rank, found.svd

    @property
    def exact_share(self) -> float:
        """The share of exact decompositions among all so far; 1 before the first."""
        taken = int(self.taken[...])
        return int(self.exact[...]) / taken if taken else 1.0


class CountExact:
    """Reports how many decompositions of a tracked SVD were exact so far, with the metrics of each step."""

    def start(self, model: Autoencoder, optimiser: nnx.Optimizer) -> tuple[()]:
        """Return an empty state."""
        del model, optimiser
        return ()

    def advance(
        self, model: Autoencoder, optimiser: nnx.Optimizer, state: tuple[()], loss: Array
    ) -> tuple[tuple[()], dict[str, Array]]:
        """The count after a step."""
        del optimiser, loss
        svd: Any = model.bottleneck.svd  # pyright: ignore[reportAttributeAccessIssue]
        return state, {"exact_svds": svd.exact[...]}

    def finish(self, variables: Any, state: tuple[()]) -> Any:
        """Nothing to change."""
        del state
        return variables
