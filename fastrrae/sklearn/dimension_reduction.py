"""What all estimators have in common: samples are rows that `rank` coefficients describe, and come back from them."""

from functools import cached_property
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.metrics import r2_score
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from ..config_fields import PositiveInt, check_value
from ..densities import GaussianMixture
from ..errors import InputError

FLOATS: Any = [np.float64, np.float32]  # the types that are kept; others become the first of them
SEEDS = 2**31 - 1


class DimensionReduction(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """The methods that follow from coefficients and their decoding; subclasses fit both.

    A subclass sets `training_coefficients_` (n_samples, rank) and `components_` (rank, n_features) in `fit`, and has a
    parameter `mixture_components`.
    """

    mixture_components: int
    training_coefficients_: np.ndarray
    components_: np.ndarray
    n_features_in_: int

    def transform(self, X: Any) -> np.ndarray:
        """The coefficients (n_samples, rank) of samples `X` (n_samples, n_features)."""
        return self._encode(self._validated(X))

    def inverse_transform(self, X: Any) -> np.ndarray:
        """Samples (n_samples, n_features), in the units of the data, from coefficients `X` (n_samples, rank)."""
        check_is_fitted(self)
        coefficients = check_array(X, dtype=FLOATS)
        if coefficients.shape[1] != self._n_features_out:
            raise InputError(
                f"`X` must have {self._n_features_out} coefficients per sample, as `transform` gives; got "
                f"{coefficients.shape[1]}"
            )
        return self._decode(coefficients)

    def score(self, X: Any, y: Any = None) -> float:
        """The explained variance (R^2) of samples `X` that come back from their coefficients; 1 is perfect.

        `1 - ||x - x'||^2 / ||x - mean(x)||^2` over all samples and features together, in the units that the model is
        fitted in: those of the data, or normalised ones where the estimator normalises. `y` is ignored.
        """
        X = self._validated(X)
        restored = self._decode(self._encode(X))
        expected, found = self._in_model_units(X), self._in_model_units(restored)
        return float(r2_score(expected, found, multioutput="variance_weighted"))

    def sample(self, n_samples: int = 1, random_state: Any = None) -> np.ndarray:
        """New samples (n_samples, n_features): coefficients drawn from `density_`, and decoded.

        Args:
            n_samples: how many.
            random_state: a seed, a `numpy.random.RandomState`, or None for other samples at each call.
        """
        check_is_fitted(self)
        if not isinstance(n_samples, int | np.integer) or n_samples < 1:
            raise InputError(f"`n_samples` must be an integer, at least 1; got {n_samples!r}")
        seed = check_random_state(random_state).randint(SEEDS)
        return self._decode(self.density_.sample(int(n_samples), seed).astype(self.components_.dtype))

    @cached_property
    def density_(self) -> GaussianMixture:
        """The mixture of Gaussians that `sample` draws from, fitted on the training coefficients on first use."""
        check_is_fitted(self)
        components = check_value("mixture_components", self.mixture_components, PositiveInt)
        return GaussianMixture.fit(self.training_coefficients_, components)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    @property
    def _n_features_out(self) -> int:
        return len(self.components_)

    def _forget_density(self) -> Self:
        """The mixture belongs to one fit."""
        self.__dict__.pop("density_", None)
        return self

    def _validated(self, X: Any) -> Any:
        check_is_fitted(self)
        accepted = self.__sklearn_tags__().input_tags.sparse
        return validate_data(self, X, dtype=FLOATS, reset=False, accept_sparse="csr" if accepted else False)

    def _encode(self, X: Any) -> np.ndarray:
        """Coefficients (n_samples, rank), of the type of `X`."""
        raise NotImplementedError

    def _decode(self, coefficients: np.ndarray) -> np.ndarray:
        """Samples (n_samples, n_features), of the type of the coefficients."""
        raise NotImplementedError

    def _in_model_units(self, X: Any) -> np.ndarray:
        """Samples (n_samples, n_features) as they enter the model."""
        return X
