"""What a run keeps of its latent space, so that sampling and interpolation need no data set."""

from pathlib import Path

import numpy as np
from flax import nnx

from .data import Dataset, Normalisation, ordered_batches
from .models import Autoencoder
from .models.basis import LatentSpectrum

EXAMPLES = 32


def coefficients_of(model: Autoencoder, samples: np.ndarray, normalisation: Normalisation) -> np.ndarray:
    """The coefficients of raw samples, (count, rank), in batches."""
    encode = nnx.jit(lambda model, x: model.coefficients(x))
    return np.concatenate([np.asarray(encode(model, x)) for x in ordered_batches(samples, normalisation)])


def describe_latent(model: Autoencoder, dataset: Dataset, spectrum: LatentSpectrum) -> dict[str, np.ndarray]:
    """Coefficients of the training set and their labels if known, the latent singular values, some test samples."""
    arrays = {
        "coefficients": coefficients_of(model, dataset.train, dataset.normalisation),
        "singular_values": spectrum.singular_values,
        "examples": dataset.test[:EXAMPLES],
    }
    if "train" in dataset.labels:
        arrays["labels"] = dataset.labels["train"]
    return arrays


def save_latent(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write what `describe_latent` gives as a .npz file."""
    np.savez(path, allow_pickle=False, **arrays)
