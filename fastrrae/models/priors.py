"""Distributions that training compares the coefficients of a model with, and that samples are drawn from afterwards."""

from dataclasses import dataclass
from typing import Protocol

import jax
import jax.numpy as jnp
import jax.scipy.special
import numpy as np
from jax import Array

from ..errors import InputError


class Density(Protocol):
    """A distribution over coefficients to draw from."""

    def sample(self, count: int, seed: int) -> np.ndarray:
        """Draw `count` coefficient vectors, (count, rank)."""
        ...


@dataclass(frozen=True)
class StandardNormal:
    """Independent standard normals."""

    rank: int

    def describe(self) -> str:
        """In words, for protocols."""
        return "standard normal"

    def sample(self, count: int, seed: int) -> np.ndarray:
        """Draw `count` coefficient vectors, (count, rank), float32."""
        return np.random.default_rng(seed).standard_normal((count, self.rank), np.float32)


@dataclass(frozen=True)
class MixturePrior:
    """Equally likely Gaussians of unit covariance, centred at `distance` along each of the first coordinates."""

    rank: int
    components: int
    distance: float

    def __post_init__(self) -> None:
        if not 1 <= self.components <= self.rank:
            raise InputError(
                f"`components` must be at least 1 and at most the rank, one coordinate for each: rank {self.rank}; got "
                f"{self.components}"
            )

    def describe(self) -> str:
        """In words, for protocols."""
        return f"the prior, {self.components} Gaussians of unit variance, {self.distance:g} from the origin"

    @property
    def centres(self) -> np.ndarray:
        """(components, rank)."""
        return self.distance * np.eye(self.components, self.rank)

    @property
    def covariance(self) -> np.ndarray:
        """Of the whole mixture, (rank, rank)."""
        between = self.centres - self.centres.mean(axis=0)
        return np.eye(self.rank) + between.T @ between / self.components

    def marginal_cdf(self, z: Array) -> Array:
        """The cumulative distribution function of each coordinate at `z` (..., rank)."""
        centres = jnp.asarray(self.centres, z.dtype)
        return jnp.mean(jax.scipy.special.ndtr(z[..., None, :] - centres), axis=-2)

    def sample(self, count: int, seed: int) -> np.ndarray:
        """Draw `count` coefficient vectors, (count, rank), float32."""
        rng = np.random.default_rng(seed)
        centres = self.centres[rng.integers(self.components, size=count)]
        return (centres + rng.standard_normal((count, self.rank))).astype(np.float32)

    def assign(self, coefficients: np.ndarray) -> np.ndarray:
        """The most likely component of each of (count, rank): (count,)."""
        distances = np.linalg.norm(np.asarray(coefficients)[:, None] - self.centres, axis=-1)
        return distances.argmin(axis=1)
