"""How well samples come back."""

import numpy as np

from ..data import Normalisation, Samples, ordered_batches
from ..models import Autoencoder
from ..models.inference import infer_batches
from .results import ReconstructionError


def reconstruction_error(model: Autoencoder, samples: Samples, normalisation: Normalisation) -> ReconstructionError:
    """Reconstruct raw samples (count, *sample_shape) in batches, at inference.

    Relative errors are NaN where all samples are zero: nothing can be relative to them.
    """
    distances, norms = [], []
    for x, reconstructed in infer_batches(model, "reconstruct", ordered_batches(samples, normalisation)):
        difference = np.asarray(reconstructed, np.float64) - x
        axes = tuple(range(1, x.ndim))
        distances.append(np.sum(difference**2, axis=axes))
        norms.append(np.sum(np.asarray(x, np.float64) ** 2, axis=axes))
    distance, norm = np.concatenate(distances), np.concatenate(norms)
    kept = norm > 0  # a sample of zeros has no relative error
    if not kept.any():
        return ReconstructionError(np.nan, np.nan, np.nan)
    relative = 100 * np.sqrt(distance[kept] / norm[kept])
    return ReconstructionError(
        float(100 * np.sqrt(distance.sum() / norm.sum())), float(relative.mean()), float(relative.std())
    )
