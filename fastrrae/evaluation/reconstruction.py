"""How well samples come back."""

from collections.abc import Iterable

import numpy as np

from ..data import Normalisation, Samples, ordered_batches
from ..models import Autoencoder
from ..models.inference import infer_batches
from .results import ReconstructionError

CONSTANT = 1e-12  # a variance that is smaller, relative to the mean square, is rounding


def reconstruction_sums(model: Autoencoder, samples: Samples, normalisation: Normalisation) -> "ReconstructionSums":
    """Reconstruct raw samples (count, *sample_shape) in batches, at inference; the sums that all errors follow from."""
    return ReconstructionSums(infer_batches(model, "reconstruct", ordered_batches(samples, normalisation)))


class ReconstructionSums:
    """Sums over batches of samples and their reconstructions, both (count, *sample_shape) and normalised."""

    def __init__(self, pairs: Iterable[tuple[np.ndarray, np.ndarray]]):
        distances, norms = [], []
        self._missed = self._total = self._power = np.zeros(1)  # by feature
        for x, reconstructed in pairs:
            x = np.asarray(x, np.float64).reshape(len(x), -1)
            squares = (np.asarray(reconstructed, np.float64).reshape(x.shape) - x) ** 2
            distances.append(squares.sum(axis=1))
            norms.append(np.sum(x**2, axis=1))
            self._missed = self._missed + squares.sum(axis=0)
            self._total = self._total + x.sum(axis=0)
            self._power = self._power + np.sum(x**2, axis=0)
        self._distance, self._norm = np.concatenate(distances), np.concatenate(norms)  # by sample
        # Of each feature, times the number of samples.
        self._variance = np.maximum(self._power - self._total**2 / len(self._distance), 0)

    def error(self) -> ReconstructionError:
        """Over all samples. Relative errors are NaN where all samples are zero: nothing can be relative to them."""
        distance, norm, variance = self._distance, self._norm, self._variance.sum()
        kept = norm > 0  # a sample of zeros has no relative error
        if not kept.any():
            return ReconstructionError(np.nan, np.nan, np.nan)
        relative = 100 * np.sqrt(distance[kept] / norm[kept])
        return ReconstructionError(
            float(100 * np.sqrt(distance.sum() / norm.sum())),
            float(relative.mean()),
            float(relative.std()),
            float(100 * (1 - distance.sum() / variance)) if variance > CONSTANT * norm.sum() else None,
        )

    def errors_by_feature(self) -> list[float]:
        """100 ||x'_j - x_j|| / ||x_j - mean(x_j)|| over all samples, for each feature j.

        100 is what the mean of the feature alone would give. A feature that does not vary has 0, or infinity if it is
        not constant in the reconstructions.
        """
        varies = self._variance > CONSTANT * self._power
        with np.errstate(divide="ignore", invalid="ignore"):
            errors = 100 * np.sqrt(self._missed / np.where(varies, self._variance, 0))
        return np.where(varies | (self._missed > CONSTANT * len(self._distance)), errors, 0.0).tolist()
