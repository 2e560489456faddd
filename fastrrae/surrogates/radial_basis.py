"""Interpolation by radial basis functions with a polynomial tail."""

import math
from dataclasses import dataclass
from functools import partial
from itertools import combinations_with_replacement
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..errors import InputError
from .interpolant import Interpolant, distinct

MOST_SAMPLES = 5000  # the weights are the solution of a dense system of as many equations

Terms = tuple[tuple[int, ...], ...]  # monomials: for each, the variables that are multiplied

# The powers of the distance; degrees of the tail from the second number on make the system definite.
_KERNELS = {"linear": (1, 0), "cubic": (3, 1)}


@dataclass(frozen=True)
class RadialBasis:
    """`sum_i w_i |p - p_i|^q + polynomial(p)`, through all training coefficients.

    The weights solve the usual saddle-point system: the function passes through the training coefficients, and the
    weights are orthogonal to polynomials, so that polynomials up to the degree of the tail are reproduced (Wendland,
    Scattered Data Approximation, 2005, section 8.5). Samples that have the same parameters count as one.

    Attributes:
        kernel: cubic (q = 3), or linear (q = 1), which has a kink at each training sample.
        degree: the degree of the polynomial; at least 1 for cubic. With fewer samples than it has terms, it is lowered.
        smoothing: added to the diagonal; above 0 the function no longer passes through coefficients that are noisy.

    Example:
        >>> run.surrogate(RadialBasis(degree=2)).predict([[0.3, 0.05]])
    """

    kernel: Literal["cubic", "linear"] = "cubic"
    degree: int = 1
    smoothing: float = 0.0

    def __post_init__(self) -> None:
        if self.kernel not in _KERNELS:
            raise InputError(f"`kernel` must be one of {', '.join(_KERNELS)}; got {self.kernel!r}")
        least = _KERNELS[self.kernel][1]
        if self.degree < least:
            raise InputError(f"`degree` must be at least {least} for the {self.kernel} kernel; got {self.degree}")
        if not 0 <= self.smoothing < np.inf:
            raise InputError(f"`smoothing` must not be negative; got {self.smoothing}")

    def fit(self, parameters: np.ndarray, coefficients: np.ndarray) -> Interpolant:
        """Solve for the weights, in float64; see `Method`."""
        centres, values = distinct(parameters, coefficients)
        if len(centres) > MOST_SAMPLES:
            raise InputError(
                f"radial basis functions take at most {MOST_SAMPLES} training samples; got {len(centres)}. Use "
                f"`method` linear, or a regressor of scikit-learn"
            )
        from scipy.spatial.distance import cdist

        terms = self._terms(centres)
        tail, power = np.stack(_monomials(centres, terms), axis=1), _KERNELS[self.kernel][0]
        distances = cdist(centres, centres)
        sign = 1 if power == 3 else -1  # r^3 and -r are conditionally positive definite
        block = distances**power + sign * self.smoothing * np.eye(len(centres))
        system = np.block([[block, tail], [tail.T, np.zeros((tail.shape[1],) * 2)]])
        right = np.concatenate([values, np.zeros((tail.shape[1], values.shape[1]))])
        try:
            solution = np.linalg.solve(system, right)
        except np.linalg.LinAlgError:  # samples that are too near to each other to tell apart
            solution = np.linalg.lstsq(system, right)[0]
        return _RadialBasis(centres, solution[: len(centres)], solution[len(centres) :], power, terms)

    def _terms(self, centres: np.ndarray) -> Terms:
        """The monomials of the tail, up to the highest degree whose coefficients the samples determine."""
        for degree in range(self.degree, -1, -1):
            terms = _terms(centres.shape[1], degree)
            if np.linalg.matrix_rank(np.stack(_monomials(centres, terms), axis=1)) == len(terms):
                return terms
        raise AssertionError("a constant is determined by one sample")


@partial(
    jax.tree_util.register_dataclass,
    data_fields=("centres", "weights", "polynomial"),
    meta_fields=("power", "terms"),
)
@dataclass(frozen=True)
class _RadialBasis(Interpolant):
    centres: Any
    weights: Any
    polynomial: Any
    power: int
    terms: Terms

    def __call__(self, parameters: Array) -> Array:
        squares = sum((p[:, None] - c) ** 2 for p, c in zip(parameters.T, self.centres.T, strict=True))
        # The root has no derivative at 0, where that of the cube is 0 (and that of the distance is taken as 0).
        apart = squares > 0
        distances = jnp.where(apart, jnp.sqrt(jnp.where(apart, squares, 1)), 0)
        tail = jnp.stack(_monomials(parameters, self.terms), axis=1)
        return distances**self.power @ self.weights + tail @ self.polynomial


def _terms(variables: int, degree: int) -> Terms:
    """All monomials up to a degree."""
    return tuple(c for n in range(degree + 1) for c in combinations_with_replacement(range(variables), n))


def _monomials(points: Any, terms: Terms) -> list[Any]:
    """Their values (count,) at points (count, P), of NumPy or JAX; products, since powers have no derivative at 0."""
    return [math.prod((points[:, i] for i in term), start=1 + 0 * points[:, 0]) for term in terms]
