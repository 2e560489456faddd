"""The reconstruction error on the validation split while a model trains, and when to stop for want of improvement."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from flax import nnx

from ..data import Dataset, ordered_batches
from ..models import Autoencoder
from ..models.inference import infer_batches
from ..processes import own_share, sum_over_processes
from .sharding import fetch

BASIS_SAMPLES = 4096  # training samples on which a basis is fitted for a validation; all, at the end of the training


@dataclass
class Improvement:
    """The best validation so far, kept in the checkpoints so that a resumed run stops where it would have stopped.

    Attributes:
        last: the error of the last validation, in per cent.
        best: the least error.
        best_step: after which step that was; 0 before the first validation.
        waited: validations since then.
    """

    last: float = math.nan
    best: float = math.inf
    best_step: int = 0
    waited: int = 0

    @classmethod
    def of_checkpoint(cls, progress: Mapping[str, Any]) -> "Improvement":
        """What the `progress` of a checkpoint says; earlier versions said nothing."""
        if not progress.get("best_step"):
            return cls(waited=progress.get("waited", 0))
        last = progress["last"]
        return cls(math.nan if last is None else last, progress["best"], progress["best_step"], progress["waited"])

    def take(self, step: int, error: float) -> None:
        """Count one validation; an error that is NaN is no improvement."""
        self.last = error
        if error < self.best:
            self.best, self.best_step, self.waited = error, step, 0
        else:
            self.waited += 1


def model_at_inference(model: Autoencoder, variables: nnx.State, dataset: Dataset) -> Autoencoder:
    """A copy of `model` with the `variables` of a training state, ready for inference: `model` stays in training.

    A basis is fitted on the first samples of the training set, `BASIS_SAMPLES` at most.
    """
    graph, _ = nnx.split(model)
    copy = nnx.merge(graph, fetch(variables))
    copy.eval()
    first = dataset.first(min(BASIS_SAMPLES, len(dataset.train)))
    copy.fit_basis(ordered_batches(first.train, dataset.normalisation, share=own_share()), sum_over_processes)
    return copy


def validation_error(model: Autoencoder, dataset: Dataset) -> float:
    """100 ||x' - x|| / ||x|| over the whole validation split, in per cent, shared among processes.

    NaN where all samples are zero: nothing can be relative to them.
    """
    assert dataset.validation is not None
    sums = np.zeros(2)
    batches = ordered_batches(dataset.validation, dataset.normalisation, share=own_share())
    for x, reconstructed in infer_batches(model, "reconstruct", batches):
        x = np.asarray(x, np.float64)
        sums += np.sum((reconstructed - x) ** 2), np.sum(x**2)
    distance, norm = sum_over_processes(sums)
    return float(100 * np.sqrt(distance / norm)) if norm > 0 else float("nan")
