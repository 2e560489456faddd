"""How well samples come back."""

from collections.abc import Iterable

import numpy as np

from ..data import Normalisation, Samples, ordered_batches
from ..models import Autoencoder
from ..models.inference import infer_batches
from .results import ReconstructionError

MOST_FEATURES = 4096  # of vectors whose error is given feature by feature


def reconstruction_error(model: Autoencoder, samples: Samples, normalisation: Normalisation) -> ReconstructionError:
    """Reconstruct raw samples (count, *sample_shape) in batches, at inference.

    Relative errors are NaN where all samples are zero: nothing can be relative to them.
    """
    return error_of_pairs(infer_batches(model, "reconstruct", ordered_batches(samples, normalisation)))


def error_of_pairs(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> ReconstructionError:
    """The errors of batches of samples and their reconstructions, both (count, *sample_shape) and normalised."""
    distances, norms, sums = [], [], []
    for x, reconstructed in pairs:
        x = np.asarray(x, np.float64).reshape(len(x), -1)
        squares = (np.asarray(reconstructed, np.float64).reshape(x.shape) - x) ** 2
        distances.append(squares.sum(axis=1))
        norms.append(np.sum(x**2, axis=1))
        sums.append((squares.sum(axis=0), x.sum(axis=0), np.sum(x**2, axis=0)))
    distance, norm = np.concatenate(distances), np.concatenate(norms)
    missed, total, power = (np.sum(parts, axis=0) for parts in zip(*sums, strict=True))
    variance = power - total**2 / len(distance)  # of each feature, times the number of samples
    kept = norm > 0  # a sample of zeros has no relative error
    if not kept.any():
        return ReconstructionError(np.nan, np.nan, np.nan)
    relative = 100 * np.sqrt(distance[kept] / norm[kept])
    return ReconstructionError(
        float(100 * np.sqrt(distance.sum() / norm.sum())),
        float(relative.mean()),
        float(relative.std()),
        float(100 * (1 - missed.sum() / variance.sum())) if variance.sum() > 1e-12 * power.sum() else None,
    )


def feature_errors(model: Autoencoder, samples: Samples, normalisation: Normalisation) -> list[float]:
    """Of vectors, 100 ||x'_j - x_j|| / ||x_j - mean(x_j)|| over all samples, for each feature j; else nothing.

    100 is what the mean of the feature alone would give. A feature that does not vary has 0, or infinity if it is not
    constant in the reconstructions.
    """
    if len(samples.shape) != 2 or samples.shape[1] > MOST_FEATURES:
        return []
    missed, total, power, count = 0.0, 0.0, 0.0, 0
    for x, reconstructed in infer_batches(model, "reconstruct", ordered_batches(samples, normalisation)):
        x = np.asarray(x, np.float64)
        missed, total, power = missed + np.sum((reconstructed - x) ** 2, 0), total + x.sum(0), power + np.sum(x**2, 0)
        count += len(x)
    variance = np.maximum(power - np.square(total) / count, 0)
    varies = variance > 1e-12 * np.asarray(power)
    with np.errstate(divide="ignore", invalid="ignore"):
        errors = 100 * np.sqrt(missed / np.where(varies, variance, 0))
    return np.where(varies | (missed > 1e-12 * count), errors, 0.0).tolist()
