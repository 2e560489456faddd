"""Gaussian process regression: hyperparameters by scikit-learn, mean and deviation in JAX."""

import warnings
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.scipy.linalg import solve_triangular

from ..errors import InputError
from .interpolant import Interpolant

MOST_SAMPLES = 2000  # each step of the search for hyperparameters factorises a dense matrix of as many rows


@dataclass(frozen=True)
class GaussianProcess:
    """A Gaussian process for each coefficient, with a length for each parameter and its own amplitude and noise.

    The kernel is `amplitude * exp(-|(p - p') / length|^2 / 2)` plus noise on the diagonal; scikit-learn's
    `GaussianProcessRegressor` maximises the likelihood of its hyperparameters. The deviation is that of the coefficient
    without the noise.

    Attributes:
        restarts: how often the search for hyperparameters starts again, from random values.
        seed: of those values.
    """

    restarts: int = 0
    seed: int = 0

    def fit(self, parameters: np.ndarray, coefficients: np.ndarray) -> Interpolant:
        """Find the hyperparameters; see `Method`."""
        if len(parameters) > MOST_SAMPLES:
            raise InputError(
                f"Gaussian processes take at most {MOST_SAMPLES} training samples; got {len(parameters)}. Use "
                f"`method` rbf or linear"
            )
        offsets, deviations = coefficients.mean(axis=0), coefficients.std(axis=0)
        scales = np.where(deviations > 0, deviations, 1.0)
        standard = (coefficients - offsets) / scales
        return _Processes(parameters, [self._fit_one(parameters, values) for values in standard.T], offsets, scales)

    def _fit_one(self, parameters: np.ndarray, values: np.ndarray) -> Any:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

        lengths = RBF([1.0] * parameters.shape[1], (1e-2, 1e3))
        kernel = ConstantKernel(1.0, (1e-3, 1e5)) * lengths + WhiteKernel(1e-4, (1e-9, 1.0))
        found = GaussianProcessRegressor(kernel, n_restarts_optimizer=self.restarts, random_state=self.seed)
        with warnings.catch_warnings():  # a value at its bound: a parameter that does not matter, or no noise
            warnings.simplefilter("ignore", ConvergenceWarning)
            return found.fit(parameters, values)


class _Processes:
    differentiable = True

    def __init__(self, parameters: np.ndarray, found: list[Any], offsets: np.ndarray, scales: np.ndarray):
        self._parameters, self._offsets, self._scales = parameters, offsets, scales
        kernels = [one.kernel_.k1 for one in found]
        self._amplitudes = np.array([kernel.k1.constant_value for kernel in kernels])
        self._lengths = np.array([np.broadcast_to(kernel.k2.length_scale, parameters.shape[1]) for kernel in kernels])
        self._weights = np.stack([one.alpha_ for one in found])  # (rank, count)
        self._factors = np.stack([one.L_ for one in found])  # Cholesky factors of the kernel with noise

    def __call__(self, parameters: Array) -> Array:
        def mean(one: tuple[Array, Array, Array]) -> Array:
            amplitude, lengths, weights = one
            return self._covariances(parameters, amplitude, lengths) @ weights

        means = lax.map(mean, (jnp.asarray(self._amplitudes), jnp.asarray(self._lengths), jnp.asarray(self._weights)))
        return self._offsets + self._scales * means.T

    def deviation(self, parameters: Array) -> Array:
        def variance(one: tuple[Array, Array, Array]) -> Array:
            amplitude, lengths, factor = one
            whitened = solve_triangular(factor, self._covariances(parameters, amplitude, lengths).T, lower=True)
            return amplitude - jnp.sum(whitened**2, axis=0)

        found = lax.map(
            variance, (jnp.asarray(self._amplitudes), jnp.asarray(self._lengths), jnp.asarray(self._factors))
        )
        return self._scales * jnp.sqrt(jnp.maximum(found, 0)).T

    def _covariances(self, parameters: Array, amplitude: Array, lengths: Array) -> Array:
        """(count, training samples), of one coefficient."""
        pairs = zip(jnp.asarray(parameters).T, self._parameters.T, lengths, strict=True)
        return amplitude * jnp.exp(-sum(((p[:, None] - x) / length) ** 2 for p, x, length in pairs) / 2)
