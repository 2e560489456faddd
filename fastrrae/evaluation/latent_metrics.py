"""Whether the coefficients of the training set are used, all of them, and for different things."""

import numpy as np

from ..metrics import active_units, correlation, effective_rank, numerical_rank
from ..run import Run
from .model_metrics import ModelMetrics
from .results import LatentMetrics


def latent_metrics(run: Run, of_model: ModelMetrics) -> LatentMetrics:
    """Of the coefficients (means, of a variational model) of the whole training set."""
    means = run.training_coefficients
    variances = np.linalg.eigvalsh(np.atleast_2d(np.cov(means, rowvar=False)))
    kl = of_model.kl_per_dimension
    return LatentMetrics(
        rank=means.shape[1],
        active_units=active_units(means),
        deviation_of_means=means.std(axis=0, dtype=np.float64).tolist(),
        correlation=correlation(means),
        effective_rank=effective_rank(variances),
        effective_rank_before_bottleneck=effective_rank(run.singular_values),
        numerical_rank=numerical_rank(variances),
        kl=None if kl is None else float(kl.sum()),
        kl_per_dimension=None if kl is None else kl.tolist(),
    )
