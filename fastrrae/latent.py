"""What a run keeps of its latent space, so that sampling and interpolation need no data set."""

from pathlib import Path

import numpy as np
from flax import nnx

from .data import Dataset, Normalisation, Samples, ordered_batches
from .models import Autoencoder
from .models.basis import LatentSpectrum
from .processes import gather_rows, own_share

EXAMPLES = 32


def coefficients_of(model: Autoencoder, samples: Samples, normalisation: Normalisation) -> np.ndarray:
    """The coefficients of raw samples, (count, rank), in batches; every process encodes its share, and has them all."""
    encode = nnx.jit(lambda model, x: model.coefficients(x))
    batches = ordered_batches(samples, normalisation, share=own_share())
    parts = [np.asarray(encode(model, x)) for x in batches] or [np.zeros((0, model.bottleneck.rank), np.float32)]
    return gather_rows(np.concatenate(parts))


def posterior_of(
    model: Autoencoder, samples: Samples, normalisation: Normalisation
) -> tuple[np.ndarray, np.ndarray] | None:
    """Means and log-variances, (count, rank) each, that a model at inference gives raw samples; None without any."""
    encode = nnx.jit(lambda model, x: model.bottleneck(model.encode(x))[1:])
    if encode(model, next(ordered_batches(samples, normalisation, batch_size=1)))[1] is None:
        return None
    parts = [tuple(map(np.asarray, encode(model, x))) for x in ordered_batches(samples, normalisation)]
    means, logvars = zip(*parts, strict=True)
    return np.concatenate(means), np.concatenate(logvars)


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
