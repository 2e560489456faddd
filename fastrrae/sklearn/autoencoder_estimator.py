"""What the autoencoders have in common: parameters, fitting, encoding, decoding, and what follows from them."""

import math
import re
from collections.abc import Sequence
from typing import Any, Literal, Self

import numpy as np
from sklearn.metrics import r2_score
from sklearn.utils import check_random_state
from sklearn.utils.validation import validate_data

from .. import models
from ..config import NetworkConfig, ObjectiveConfig, TrainingConfig
from ..config_fields import PositiveInt, check_value
from ..data.normalisation import Normalisation, Scaling, fit_normalisation
from ..errors import InputError
from .dimension_reduction import FLOATS, SEEDS, DimensionReduction
from .in_memory_training import Structure, TrainedInMemory, train_in_memory

LATENT_SIZE = 32  # by default; twice the rank where that is more
MOST_DECODED = 2048  # training samples on which the variance of each coefficient is measured

_FIELD = re.compile(r"`(?:model|network|objective|training)\.(?:weights\.)?(\w+)`")


class AutoencoderEstimator(DimensionReduction):
    """Fitting, encoding and decoding; a subclass says which model, and documents its parameters."""

    optimiser: Any  # checked in `fit`, by `TrainingConfig`; likewise the loss, by `ObjectiveConfig`
    reconstruction: Any
    _model: TrainedInMemory
    _normalisation: Normalisation

    def __init__(
        self,
        rank: int = 2,
        *,
        latent_size: int | None = None,
        network: Literal["auto", "convolutional", "batch-normalised", "kernel-4", "mlp"] = "auto",
        encoder_widths: Sequence[int] | None = None,
        decoder_widths: Sequence[int] | None = None,
        sample_shape: Sequence[int] | None = None,
        steps: int = 1000,
        batch_size: int = 64,
        learning_rate: float = 1e-3,
        optimiser: Literal["adabelief", "adam", "adamw"] = "adabelief",
        reconstruction: Literal["relative", "mse"] = "relative",
        normalise: Scaling = "standard-per-feature",
        mixture_components: int = 10,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.rank = rank
        self.latent_size = latent_size
        self.network = network
        self.encoder_widths = encoder_widths
        self.decoder_widths = decoder_widths
        self.sample_shape = sample_shape
        self.steps = steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.optimiser = optimiser
        self.reconstruction = reconstruction
        self.normalise = normalise
        self.mixture_components = mixture_components
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train on samples `X` (n_samples, n_features); `y` is ignored.

        Raises:
            InputError: a parameter is wrong or does not fit the data (a ValueError).
            TrainingDiverged: the loss became NaN or infinite (an InputError, too).
        """
        X = validate_data(self, X, dtype=FLOATS, ensure_min_samples=2)
        try:
            structure, training, objective = self._settings(X.shape[1])
        except InputError as error:  # it names fields of a run's configuration
            raise InputError(_FIELD.sub(_parameter, str(error))) from None
        scaling: Scaling = check_value("normalise", self.normalise, Scaling)
        samples = X.reshape(-1, *structure.sample_shape)
        self._normalisation = fit_normalisation(samples, scaling, None)
        x = self._normalisation.apply(samples)
        self._model = train_in_memory(
            structure,
            x,
            rank=int(self.rank),
            steps=training.steps or 1,
            learning_rate=training.learning_rate,
            weights=objective.weights,
            seed=check_random_state(self.random_state).randint(SEEDS),
        )
        return self._forget_density()._describe(x, X.dtype)

    def _describe(self, x: np.ndarray, dtype: np.dtype) -> Self:
        """Set the attributes that follow from the trained model and its normalised training samples."""
        model = self._model
        coefficients = model.coefficients(x)
        mean = coefficients.mean(axis=0, dtype=np.float64)
        deviation = coefficients.std(axis=0, dtype=np.float64)
        self.training_coefficients_ = coefficients.astype(dtype)
        self.mean_coefficients_ = mean.astype(dtype)
        slopes = _slopes(model, mean, deviation) * np.asarray(self._normalisation.scale)
        self.components_ = slopes.reshape(len(mean), -1).astype(dtype)
        self.basis_ = model.basis[: model.rank].astype(dtype)
        self.singular_values_ = model.singular_values[: model.rank].astype(dtype)
        self.explained_variance_ratio_ = _explained_one_by_one(model, x, coefficients, mean).astype(dtype)
        self.loss_curve_ = model.losses
        return self

    def _encode(self, X: np.ndarray) -> np.ndarray:
        return self._model.coefficients(self._normalised(X)).astype(X.dtype)

    def _decode(self, coefficients: np.ndarray) -> np.ndarray:
        values = self._model.decode(coefficients)
        return self._normalisation.invert(values).reshape(len(values), -1).astype(coefficients.dtype)

    def _in_model_units(self, X: np.ndarray) -> np.ndarray:
        return self._normalised(X).reshape(len(X), -1)

    def _normalised(self, X: np.ndarray) -> np.ndarray:
        return self._normalisation.apply(X.reshape(-1, *self._model.structure.sample_shape))

    def _settings(self, n_features: int) -> tuple[Structure, TrainingConfig, ObjectiveConfig]:
        """What the parameters ask for, checked."""
        for name in ("optimiser", "reconstruction"):
            if getattr(self, name) == "own":
                raise InputError(f"`{name}` cannot be `own` in an estimator: `fastrrae.train` takes your own parts")
        if self.reconstruction in ("cross-entropy", "gaussian"):
            raise InputError(
                f"`reconstruction` must be relative or mse here, where features are normalised to unit deviation; got "
                f"{self.reconstruction}. `fastrrae.train` has the likelihoods"
            )
        model = self._options()
        network = NetworkConfig(self.network, self.encoder_widths, self.decoder_widths)  # pyright: ignore
        training = TrainingConfig(
            steps=check_value("steps", self.steps, PositiveInt),
            batch_size=self.batch_size,
            optimiser=self.optimiser,
            learning_rate=self.learning_rate,
        )
        objective = ObjectiveConfig(self.reconstruction, self._weights())
        model.check_batch(training.batch_size)
        shape = _sample_shape(self.sample_shape, n_features)
        structure = Structure(
            self._compiled_for(model, training.batch_size),
            network,
            shape,
            training.batch_size,
            training.optimiser,
            objective.reconstruction,
        )
        return structure, training, objective

    def _options(self) -> models.RRAE:
        raise NotImplementedError

    def _compiled_for(self, options: models.RRAE, batch_size: int) -> models.RRAE:
        """The options that the programs are compiled for; their rank may be larger."""
        del batch_size
        return options

    def _weights(self) -> dict[str, float]:
        """Of the model's penalties."""
        return {}

    def _sizes(self) -> dict[str, Any]:
        rank = check_value("rank", self.rank, PositiveInt)
        return {
            "rank": rank,
            "latent_size": max(LATENT_SIZE, 2 * rank) if self.latent_size is None else self.latent_size,
        }


def _parameter(field: re.Match[str]) -> str:
    """The name of the parameter that a field of a run's configuration is here."""
    return "`kl_weight`" if field[1] == "kl" else f"`{field[1]}`"


def _sample_shape(shape: Any, n_features: int) -> tuple[int, ...]:
    if shape is None:
        return (n_features,)
    checked = check_value("sample_shape", shape, tuple[PositiveInt, ...])
    if not 1 <= len(checked) <= 3 or math.prod(checked) != n_features:
        raise InputError(
            f"`sample_shape` must be (D,), (T, C) or (H, W, C) with product n_features = {n_features}; got {checked}"
        )
    return checked


def _slopes(model: TrainedInMemory, mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """(rank, *sample_shape), of the decoding along each coefficient, between one deviation below and above the mean."""
    steps = np.where(deviation > 0, deviation, 1)
    above, below = np.split(model.decode(np.concatenate([mean + np.diag(steps), mean - np.diag(steps)])), 2)
    return (above - below) / (2 * steps).reshape(-1, *[1] * (above.ndim - 1))


def _explained_one_by_one(
    model: TrainedInMemory, x: np.ndarray, coefficients: np.ndarray, mean: np.ndarray
) -> np.ndarray:
    """(rank,), what keeping one more coefficient adds to the explained variance of normalised samples `x`."""
    chosen = np.random.default_rng(0).permutation(len(x))[:MOST_DECODED]
    x, coefficients = x[chosen].reshape(len(chosen), -1), coefficients[chosen]
    explained = [0.0]
    for kept in range(1, len(mean) + 1):
        partial = np.where(np.arange(len(mean)) < kept, coefficients, mean)
        decoded = model.decode(partial).reshape(x.shape)
        explained.append(float(r2_score(x, decoded, multioutput="variance_weighted")))
    return np.diff(explained)
