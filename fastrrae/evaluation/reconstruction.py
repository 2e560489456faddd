"""How well samples come back."""

from typing import NamedTuple

import numpy as np
from flax import nnx

from ..data import Normalisation, Samples, ordered_batches
from ..models import Autoencoder


class ReconstructionError(NamedTuple):
    """Relative errors in per cent, in the normalised values that the model sees."""

    overall: float  # 100 ||x' - x||_F / ||x||_F over all samples together
    per_sample_mean: float  # the mean over samples of 100 ||x'_i - x_i|| / ||x_i||
    per_sample_std: float


def reconstruction_error(model: Autoencoder, samples: Samples, normalisation: Normalisation) -> ReconstructionError:
    """Reconstruct raw samples (count, *sample_shape) in batches, at inference."""
    reconstruct = nnx.jit(lambda model, x: model.reconstruct(x))
    distances, norms = [], []
    for x in ordered_batches(samples, normalisation):
        difference = np.asarray(reconstruct(model, x), np.float64) - x
        axes = tuple(range(1, x.ndim))
        distances.append(np.sum(difference**2, axis=axes))
        norms.append(np.sum(np.asarray(x, np.float64) ** 2, axis=axes))
    distance, norm = np.concatenate(distances), np.concatenate(norms)
    relative = 100 * np.sqrt(distance[norm > 0] / norm[norm > 0])  # a sample of zeros has no relative error
    return ReconstructionError(
        float(100 * np.sqrt(distance.sum() / norm.sum())), float(relative.mean()), float(relative.std())
    )
