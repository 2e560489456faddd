"""Gaussian process regression: hyperparameters by scikit-learn, mean and deviation in JAX."""

import warnings
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.scipy.linalg import solve_triangular

from ..errors import InputError
from .interpolant import Interpolant

MOST_SAMPLES = 2000  # each step of the search for hyperparameters factorises a dense matrix of as many rows

# Where the search starts: lengths, in ranges of the parameters, and the share of noise. The second start is for a
# search that ends with noise where there should be little: most often it has taken the values for noise.
_STARTS = ((1.0, 1e-4), (0.3, 1e-2))
_EXPECTED_NOISE = 1e-2


@dataclass(frozen=True)
class GaussianProcess:
    """A Gaussian process for each coefficient, with a length for each parameter and its own amplitude and noise.

    The kernel is `amplitude * exp(-|(p - p') / length|^2 / 2)` plus noise on the diagonal; scikit-learn's
    `GaussianProcessRegressor` maximises the likelihood of its hyperparameters. The deviation is that of the coefficient
    without the noise.

    Attributes:
        restarts: how often the search for hyperparameters starts again, from random values.
        seed: the seed of those values.
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
        found = [self._fit_one(parameters, values) for values in standard.T]
        kernels = [one.kernel_.k1 for one in found]
        return _Processes(
            parameters,
            offsets,
            scales,
            np.array([kernel.k1.constant_value for kernel in kernels]),
            np.array([np.broadcast_to(kernel.k2.length_scale, parameters.shape[1]) for kernel in kernels]),
            np.stack([one.alpha_ for one in found]),
            np.stack([one.L_ for one in found]),
        )

    def _fit_one(self, parameters: np.ndarray, values: np.ndarray) -> Any:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

        found: list[Any] = []
        for length, noise in _STARTS:
            lengths = RBF([length] * parameters.shape[1], (1e-2, 1e3))
            kernel = ConstantKernel(1.0, (1e-3, 1e5)) * lengths + WhiteKernel(noise, (1e-9, 1.0))
            process = GaussianProcessRegressor(kernel, n_restarts_optimizer=self.restarts, random_state=self.seed)
            with warnings.catch_warnings():  # a value at its bound: a parameter that does not matter, or no noise
                warnings.simplefilter("ignore", ConvergenceWarning)
                found.append(process.fit(parameters, values))
            if found[-1].kernel_.k2.noise_level < _EXPECTED_NOISE:
                break
        return max(found, key=lambda process: process.log_marginal_likelihood_value_)


@partial(
    jax.tree_util.register_dataclass,
    data_fields=("parameters", "offsets", "scales", "amplitudes", "lengths", "weights", "factors"),
    meta_fields=(),
)
@dataclass(frozen=True)
class _Processes(Interpolant):
    """One process for each coefficient, whose hyperparameters and so on are along the first axis."""

    parameters: Any  # (samples, P)
    offsets: Any  # (rank,), and the others: of the coefficients, before they were standardised
    scales: Any
    amplitudes: Any
    lengths: Any  # (rank, P)
    weights: Any  # (rank, samples)
    factors: Any  # (rank, samples, samples): Cholesky factors of the kernel with noise

    @property
    def has_deviation(self) -> bool:
        return True

    def __call__(self, parameters: Array) -> Array:
        def mean(one: tuple[Array, Array, Array]) -> Array:
            amplitude, lengths, weights = one
            return self._covariances(parameters, amplitude, lengths) @ weights

        return self.offsets + self.scales * lax.map(mean, (self.amplitudes, self.lengths, self.weights)).T

    def deviation(self, parameters: Array) -> Array:
        def variance(one: tuple[Array, Array, Array]) -> Array:
            amplitude, lengths, factor = one
            whitened = solve_triangular(factor, self._covariances(parameters, amplitude, lengths).T, lower=True)
            return amplitude - jnp.sum(whitened**2, axis=0)

        found = lax.map(variance, (self.amplitudes, self.lengths, self.factors))
        return self.scales * jnp.sqrt(jnp.maximum(found, 0)).T

    def _covariances(self, parameters: Array, amplitude: Array, lengths: Array) -> Array:
        """(count, samples), of one coefficient."""
        pairs = zip(parameters.T, self.parameters.T, lengths, strict=True)
        return amplitude * jnp.exp(-sum(((p[:, None] - x) / length) ** 2 for p, x, length in pairs) / 2)
