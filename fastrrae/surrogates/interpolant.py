"""What an interpolation from parameters to coefficients is."""

from collections.abc import Callable
from typing import Any, Protocol

import jax
import numpy as np
from jax import Array

BATCH = 512  # parameters that are interpolated at a time


class Interpolant(Protocol):
    """A fitted map from scaled parameters (count, P) to coefficients (count, rank).

    Attributes:
        differentiable: whether calls can be traced by JAX, and so differentiated and compiled.
    """

    differentiable: bool

    def __call__(self, parameters: Array, /) -> Array:
        """Coefficients (count, rank)."""
        ...

    def deviation(self, parameters: Array, /) -> Array | None:
        """Standard deviations (count, rank) of the coefficients; None of a method that has none."""
        ...


class Method(Protocol):
    """How coefficients are interpolated: a value whose fields are the options."""

    def fit(self, parameters: np.ndarray, coefficients: np.ndarray) -> Interpolant:
        """Fit on training samples.

        Args:
            parameters: (count, P) float64, scaled to [0, 1] by their ranges.
            coefficients: (count, rank) float64.
        """
        ...


def interpolate(function: Callable[[Any], Any], parameters: np.ndarray) -> np.ndarray:
    """What an interpolant, or its deviation, gives for scaled parameters (count, P): in batches, and in float64.

    In float32 the weights of radial basis functions, which cancel, would lose digits.
    """
    starts = range(0, max(len(parameters), 1), BATCH)
    with jax.enable_x64(True):
        return np.concatenate([np.asarray(function(parameters[start : start + BATCH])) for start in starts])


def distinct(parameters: np.ndarray, coefficients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Samples that have the same parameters, to 1e-6 of their range, as one: with the mean of their coefficients."""
    _, first, inverse, counts = np.unique(
        np.round(parameters, 6), axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    means = np.zeros((len(first), coefficients.shape[1]))
    np.add.at(means, inverse.reshape(-1), coefficients)
    return parameters[first], means / counts[:, None]
