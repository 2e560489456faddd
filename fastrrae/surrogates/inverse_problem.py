"""The inverse problem: parameters of which a surrogate gives a known field, by least squares."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .parameter_space import ParameterSpace


class Recovered(NamedTuple):
    """What was found.

    Attributes:
        parameters: (P,), within the ranges of the training set.
        field: the surrogate's, (*sample_shape).
        residual: `|field - given| / |given|`, in per cent; about the noise, where that is all that is different.
        deviation: (P,) standard deviations of the parameters, from the residual and the Jacobian at the solution, as
            for independent noise; NaN of parameters that the field does not determine.
    """

    parameters: np.ndarray
    field: np.ndarray
    residual: float
    deviation: np.ndarray


def least_squares(
    space: ParameterSpace,
    field: np.ndarray,
    predict: Callable[[Any], Any],
    jacobian: Callable[[Any], Any],
    guesses: np.ndarray,
) -> Recovered:
    """The best of the solutions from several guesses, by SciPy's trust-region method within the box of the ranges.

    Args:
        space: the space of the parameters.
        field: the given values (*sample_shape).
        predict, jacobian: of parameters (P,), in their units: a field, and its derivatives (*sample_shape, P).
        guesses: parameters (count, P) to start from.
    """
    from scipy import optimize

    solve: Any = optimize.least_squares
    given = np.asarray(field, np.float64).reshape(-1)

    def residuals(unit: np.ndarray) -> np.ndarray:
        return np.asarray(predict(space.low + unit * space.span), np.float64).reshape(-1) - given

    def derivatives(unit: np.ndarray) -> np.ndarray:
        found = np.asarray(jacobian(space.low + unit * space.span), np.float64)
        return found.reshape(-1, len(space.names)) * space.span

    found = [
        solve(residuals, np.clip(space.scale(guess), 0, 1), derivatives, bounds=(0, 1), x_scale="jac")
        for guess in guesses
    ]
    best = min(found, key=lambda solution: solution.cost)
    parameters = space.low + best.x * space.span
    norm = max(float(np.linalg.norm(given)), np.finfo(float).tiny)
    return Recovered(
        parameters,
        np.asarray(predict(parameters)),
        100 * float(np.linalg.norm(best.fun)) / norm,
        _deviation(best.jac, best.fun) * space.span,
    )


def _deviation(jacobian: np.ndarray, residuals: np.ndarray) -> np.ndarray:
    """Square roots of the diagonal of `variance * inv(J^T J)`, (P,)."""
    count, parameters = jacobian.shape
    normal = jacobian.T @ jacobian
    if count <= parameters or np.linalg.matrix_rank(normal) < parameters:
        return np.full(parameters, np.nan)
    return np.sqrt(np.diag(np.linalg.inv(normal)) * (residuals @ residuals) / (count - parameters))
