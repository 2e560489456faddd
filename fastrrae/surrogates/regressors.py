"""Any regressor of scikit-learn as a method of interpolation."""

from dataclasses import dataclass
from inspect import signature
from typing import Any

import numpy as np

from ..errors import InputError, first_line
from .interpolant import Interpolant


@dataclass(frozen=True)
class Regressor:
    """A copy of a scikit-learn regressor for each coefficient, fitted on scaled parameters. It has no gradient.

    Attributes:
        regressor: with `fit` and `predict`, such as `RandomForestRegressor()` or a pipeline. Where its `predict` takes
            `return_std`, there are standard deviations.
    """

    regressor: Any

    def fit(self, parameters: np.ndarray, coefficients: np.ndarray) -> Interpolant:
        """Fit the copies; see `Method`."""
        from sklearn.base import BaseEstimator, clone, is_regressor

        if not isinstance(self.regressor, BaseEstimator) or not is_regressor(self.regressor):
            raise InputError(
                f"`method` must be rbf, linear, gp, or a regressor of scikit-learn; got {self.regressor!r}"
            )
        try:
            copies: list[Any] = [clone(self.regressor) for _ in coefficients.T]
            return _Fitted([one.fit(parameters, values) for one, values in zip(copies, coefficients.T, strict=True)])
        except (ValueError, TypeError) as error:
            raise InputError(
                f"`method` {type(self.regressor).__name__} could not be fitted: {first_line(error)}"
            ) from error


class _Fitted(Interpolant):
    def __init__(self, copies: list[Any]):
        self._copies = copies

    @property
    def differentiable(self) -> bool:
        return False

    @property
    def has_deviation(self) -> bool:
        return "return_std" in signature(self._copies[0].predict).parameters

    def __call__(self, parameters: Any) -> Any:
        return np.stack([one.predict(np.asarray(parameters)) for one in self._copies], axis=1)

    def deviation(self, parameters: Any) -> Any:
        return np.stack([one.predict(np.asarray(parameters), return_std=True)[1] for one in self._copies], axis=1)
