"""Distributions that training compares the coefficients of a model with, and that samples are drawn from afterwards."""

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import jax.numpy as jnp
import numpy as np
from jax import Array


class Density(Protocol):
    """A distribution over coefficients to draw from."""

    def sample(self, count: int, seed: int) -> np.ndarray:
        """Draw `count` coefficient vectors, (count, rank)."""
        ...


@runtime_checkable
class Prior(Protocol):
    """A distribution over coefficients whose density is known too: a fixed one, or a module that training fits.

    Training asks `log_prob`, samples come from `sample`: both of one object, so that they mean the same distribution.
    """

    def sample(self, count: int, seed: int) -> np.ndarray:
        """Draw `count` coefficient vectors, (count, rank)."""
        ...

    def log_prob(self, z: Array, /) -> Array:
        """The logarithm of the density at `z` (batch, rank): (batch,), in nats."""
        ...


@dataclass(frozen=True)
class StandardNormal:
    """Independent standard normals."""

    rank: int

    def describe(self) -> str:
        """In words, for protocols."""
        return "standard normal"

    def log_prob(self, z: Array) -> Array:
        """The logarithm of the density at `z` (batch, rank): (batch,), in nats."""
        return -0.5 * jnp.sum(z**2, axis=-1) - 0.5 * self.rank * math.log(2 * math.pi)

    def sample(self, count: int, seed: int) -> np.ndarray:
        """Draw `count` coefficient vectors, (count, rank), float32."""
        return np.random.default_rng(seed).standard_normal((count, self.rank), np.float32)


def diagonal_normal_log_prob(z: Array, mean: Array, logvar: Array) -> Array:
    """log N(z; mean, diag(exp(logvar))), summed over the last axis, in nats; the shapes are broadcast."""
    terms = logvar + (z - mean) ** 2 * jnp.exp(-logvar)
    return -0.5 * jnp.sum(terms + math.log(2 * math.pi), axis=-1)
