"""What the model of a run adds to its evaluation, without the evaluation knowing any model."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from ..data import Dataset
from ..metrics import kl_per_dimension
from ..models import Autoencoder
from ..models.inference import infer
from ..models.priors import Prior, StandardNormal, diagonal_normal_log_prob
from ..run import Run


class ModelMetrics(NamedTuple):
    """Numbers by name."""

    metrics: Mapping[str, float]  # of the whole run
    kl_per_dimension: np.ndarray | None = None  # (rank,), in nats, of models that are variational


BLOCK = 2048  # samples whose densities are computed at a time

ModelHook = Callable[[Run, Dataset], ModelMetrics]


def metrics_of_model(run: Run, dataset: Dataset) -> ModelMetrics:
    """What the options of the model add (`Model.evaluate`), and the KL term of variational models.

    Where the prior is not the standard normal, the KL term is `kl_to_prior`, one number.
    """
    config, bottleneck = run.config, run.model.bottleneck
    added = config.model.evaluate(
        bottleneck,
        run.training_coefficients,
        dataset.train,
        dataset.labels.get("train"),
        config.evaluation.evaluation_seed,
    )
    prior, logvars = run.model.prior, _logvars(run, dataset)
    if logvars is None:
        return ModelMetrics(added)
    if prior is None or isinstance(prior, StandardNormal):
        return ModelMetrics(added, kl_per_dimension(run.training_coefficients, logvars))
    if not isinstance(prior, Prior):
        return ModelMetrics(added)
    kl = kl_by_draws(run.training_coefficients, logvars, prior, config.evaluation.evaluation_seed)
    return ModelMetrics({**added, "kl_to_prior": kl})


def kl_by_draws(means: np.ndarray, logvars: np.ndarray, prior: Prior, seed: int = 0) -> float:
    """The mean over samples of `KL(N(mean, exp(logvar)) || prior)` in nats, by one draw for each sample.

    Args:
        means: (count, rank), with log-variances of the same shape.
        logvars: the logarithms of the variances.
        prior: any with `log_prob`.
        seed: the seed of the draws.
    """
    rng, total = np.random.default_rng(seed), 0.0
    for start in range(0, len(means), BLOCK):
        mean, logvar = (jnp.asarray(of[start : start + BLOCK], jnp.float32) for of in (means, logvars))
        draw = mean + jnp.exp(logvar / 2) * rng.standard_normal(mean.shape, np.float32)
        ratio = diagonal_normal_log_prob(draw, mean, logvar) - prior.log_prob(draw)
        total += float(np.sum(np.asarray(ratio, np.float64)))
    return total / len(means)


def _logvars(run: Run, dataset: Dataset) -> np.ndarray | None:
    """Log-variances of the training set's posteriors (count, rank), of a variational model; the run's own."""
    if run.training_logvars is not None:
        return run.training_logvars
    if infer(run.model, _posterior, dataset.train[:1], prepare=run.normalisation.apply) is None:
        return None
    return infer(run.model, _posterior, dataset.train, prepare=run.normalisation.apply)


def _posterior(model: Autoencoder, x: Array) -> Array | None:
    """Log-variances of the coefficients, (batch, rank), of a variational model at inference."""
    return model.bottleneck(model.encode(x)).logvar
