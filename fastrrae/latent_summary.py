"""What a run keeps of its latent space, so that sampling and interpolation need no data set."""

from pathlib import Path

import numpy as np
from jax import Array

from .atomic_files import replacing
from .data import Dataset, Normalisation, Samples
from .models import Autoencoder
from .models.inference import infer
from .models.latent_spectrum import LatentSpectrum
from .processes import gather_rows, own_share

EXAMPLES = 32


def coefficients_of(model: Autoencoder, samples: Samples, normalisation: Normalisation) -> np.ndarray:
    """The coefficients of raw samples, (count, rank), in batches; every process encodes its share, and has them all."""
    own = own_share().of(len(samples))
    return gather_rows(infer(model, "coefficients", _Slice(samples, own), prepare=normalisation.apply))


def _posteriors_of(
    model: Autoencoder, samples: Samples, normalisation: Normalisation
) -> tuple[np.ndarray, np.ndarray | None]:
    """Coefficients, and log-variances where the model has them, (count, rank) each; as `coefficients_of`."""
    own = own_share().of(len(samples))
    found = infer(model, _posterior, _Slice(samples, own), prepare=normalisation.apply)
    return gather_rows(found[0]), None if found[1] is None else gather_rows(found[1])


def _posterior(model: Autoencoder, x: Array) -> tuple[Array, Array | None]:
    z = model.encode(x)
    return model.bottleneck.coefficients(z), model.bottleneck(z).logvar


def spaced_samples(samples: Samples, count: int, normalisation: Normalisation) -> np.ndarray:
    """Evenly spaced samples, normalised: of data that is sorted by class, they hold all classes."""
    rows = np.linspace(0, len(samples) - 1, count).astype(int)
    return normalisation.apply(np.concatenate([np.asarray(samples[row : row + 1]) for row in rows]))


def summarise_latent(model: Autoencoder, dataset: Dataset, spectrum: LatentSpectrum) -> dict[str, np.ndarray]:
    """Coefficients of the training set, its labels and parameters if known, the singular values, some test samples.

    Of a variational model, the log-variances of the training set's posteriors too: the coefficients are their means.
    """
    coefficients, logvars = _posteriors_of(model, dataset.train, dataset.normalisation)
    arrays = {
        "coefficients": coefficients,
        "singular_values": spectrum.singular_values,
        "examples": dataset.test[:EXAMPLES],
    }
    if logvars is not None:
        arrays["logvars"] = logvars
    if "train" in dataset.labels:
        arrays["labels"] = dataset.labels["train"]
        if dataset.label_names:
            arrays["label_names"] = np.array(dataset.label_names)
    if "train" in dataset.parameters:
        arrays["parameters"] = dataset.parameters["train"]
        if dataset.parameter_names:
            arrays["parameter_names"] = np.array(dataset.parameter_names)
    return arrays


def save_latent_summary(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write what `summarise_latent` gives as a .npz file."""
    with replacing(path) as file:
        np.savez(file, allow_pickle=False, **arrays)  # pyright: ignore[reportArgumentType]


class _Slice:
    """A part of samples that are read when they are sliced."""

    def __init__(self, samples: Samples, part: slice):
        self._samples, self._part = samples, part

    def __len__(self) -> int:
        return self._part.stop - self._part.start

    def __getitem__(self, index: slice) -> np.ndarray:
        start, stop, _ = index.indices(len(self))
        return self._samples[self._part.start + start : self._part.start + stop]
