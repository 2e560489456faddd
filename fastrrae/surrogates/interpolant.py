"""What an interpolation from parameters to coefficients is."""

from typing import Any, Protocol

import jax
import numpy as np
from jax import Array

BATCH = 512  # parameters that are interpolated at a time


class Interpolant:
    """A fitted map from scaled parameters (count, P) to coefficients (count, rank).

    Subclasses that are differentiable are pytrees of arrays, and their calls can be traced by JAX.
    """

    @property
    def differentiable(self) -> bool:
        """Whether it has gradients."""
        return True

    @property
    def has_deviation(self) -> bool:
        """Whether it has standard deviations."""
        return False

    def __call__(self, parameters: Array, /) -> Array:
        """Coefficients (count, rank)."""
        raise NotImplementedError

    def deviation(self, parameters: Array, /) -> Array:
        """Standard deviations (count, rank) of the coefficients."""
        raise NotImplementedError


class Method(Protocol):
    """How coefficients are interpolated: a value whose fields are the options."""

    def fit(self, parameters: np.ndarray, coefficients: np.ndarray) -> Interpolant:
        """Fit on training samples.

        Args:
            parameters: (count, P) float64, scaled to [0, 1] by their ranges.
            coefficients: (count, rank) float64.
        """
        ...


def interpolate(interpolant: Interpolant, parameters: np.ndarray, *, deviation: bool = False) -> np.ndarray:
    """Coefficients (count, rank), or deviations, for scaled parameters (count, P): in batches, and in float64.

    In float32 the weights of radial basis functions, which cancel, would lose digits.
    """
    function = _deviation if deviation else _coefficients
    starts = range(0, max(len(parameters), 1), BATCH)
    with jax.enable_x64(True):
        compiled: Any = jax.jit(function) if interpolant.differentiable else function
        return np.concatenate(
            [np.asarray(compiled(interpolant, parameters[start : start + BATCH])) for start in starts]
        )


def _coefficients(interpolant: Interpolant, parameters: Array) -> Array:
    return interpolant(parameters)


def _deviation(interpolant: Interpolant, parameters: Array) -> Array:
    return interpolant.deviation(parameters)


def distinct(parameters: np.ndarray, coefficients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Samples that have the same parameters, to 1e-6 of their range, as one: with the mean of their coefficients."""
    _, first, inverse, counts = np.unique(
        np.round(parameters, 6), axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    means = np.zeros((len(first), coefficients.shape[1]))
    np.add.at(means, inverse.reshape(-1), coefficients)
    return parameters[first], means / counts[:, None]
