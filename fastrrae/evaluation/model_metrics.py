"""What the model of a run adds to its evaluation, without the evaluation knowing any model."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from jax import Array

from ..data import Dataset
from ..metrics import kl_per_dimension
from ..models import Autoencoder
from ..models.inference import infer
from ..run import Run


class ModelMetrics(NamedTuple):
    """Numbers by name."""

    metrics: Mapping[str, float]  # of the whole run
    kl_per_dimension: np.ndarray | None = None  # (rank,), in nats, of models that are variational


ModelHook = Callable[[Run, Dataset], ModelMetrics]


def metrics_of_model(run: Run, dataset: Dataset) -> ModelMetrics:
    """What the options of the model add (`Model.evaluate`), and the KL term of variational models."""
    config, bottleneck = run.config, run.model.bottleneck
    added = config.model.evaluate(
        bottleneck,
        run.training_coefficients,
        dataset.train,
        dataset.labels.get("train"),
        config.evaluation.evaluation_seed,
    )
    return ModelMetrics(added, _kl_per_dimension(run, dataset))


def _kl_per_dimension(run: Run, dataset: Dataset) -> np.ndarray | None:
    posterior = infer(run.model, _posterior, dataset.train[:1], prepare=run.normalisation.apply)
    if posterior is None:
        return None
    means, logvars = infer(run.model, _posterior, dataset.train, prepare=run.normalisation.apply)
    return kl_per_dimension(means, logvars)


def _posterior(model: Autoencoder, x: Array) -> tuple[Array, Array] | None:
    """Mean and log-variance of the coefficients, (batch, rank) each, of a variational model at inference."""
    latent = model.bottleneck(model.encode(x))
    return None if latent.logvar is None else (latent.mean, latent.logvar)
