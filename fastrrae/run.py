"""A finished run as an object: the trained model, and inputs and outputs in the units of the data."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import jax
import numpy as np
from flax import nnx

from .build import build_model
from .config import RunConfig
from .data import Dataset, Normalisation, ordered_batches
from .data.pipeline import INFERENCE_BATCH
from .errors import InputError
from .evaluation.density import GaussianMixture
from .latent import describe_latent
from .models import Autoencoder
from .models.bottlenecks import FittedBasis
from .models.priors import Density
from .run_folder import RunFolder
from .training.checkpoint import CheckpointStore
from .training.state_arrays import unflatten


@dataclass(frozen=True)
class Run:
    """What `load_run` gives. Arrays in and out are in the units of the data, shaped (count, *sample_shape)."""

    folder: RunFolder
    config: RunConfig
    model: Autoencoder
    normalisation: Normalisation
    sample_shape: tuple[int, ...]
    training_coefficients: np.ndarray  # (train_count, rank)
    training_labels: np.ndarray | None
    singular_values: np.ndarray  # of the whole training latent matrix, descending
    examples: np.ndarray  # some test samples

    def reconstruct(self, samples: np.ndarray) -> np.ndarray:
        """Samples encoded and decoded."""
        return self.decode(self.coefficients(samples))

    def coefficients(self, samples: np.ndarray) -> np.ndarray:
        """Coefficients (count, rank) of samples."""
        return _in_batches(_encode, self.model, self._model_values(samples))

    def decode(self, coefficients: np.ndarray) -> np.ndarray:
        """Samples from coefficients (count, rank)."""
        return self.normalisation.invert(_in_batches(_decode, self.model, np.asarray(coefficients)))

    def sample(self, count: int, *, seed: int | None = None, density: Density | None = None) -> np.ndarray:
        """New samples, by default from a Gaussian mixture fitted on the coefficients of the training set."""
        seed = self.config.evaluation.evaluation_seed if seed is None else seed
        return self.decode((density or self.density).sample(count, seed))

    @cached_property
    def density(self) -> GaussianMixture:
        """The mixture that `sample` draws from, fitted on first use."""
        settings = self.config.evaluation
        return GaussianMixture.fit(self.training_coefficients, settings.mixture_components, settings.evaluation_seed)

    def _model_values(self, samples: np.ndarray) -> np.ndarray:
        samples = np.asarray(samples)
        if samples.shape[1:] != self.sample_shape:
            raise InputError(f"samples must have shape (count, *{self.sample_shape}); got {samples.shape}")
        return self.normalisation.apply(samples)


@nnx.jit
def _encode(model: Autoencoder, x: jax.Array) -> jax.Array:
    return model.coefficients(x)


@nnx.jit
def _decode(model: Autoencoder, coefficients: jax.Array) -> jax.Array:
    return model.decode(coefficients)


def _in_batches(apply: Callable[..., jax.Array], model: Autoencoder, rows: np.ndarray) -> np.ndarray:
    """`apply(model, rows)` in batches whose sizes are powers of two, filled up with zeros: few programs to compile."""
    size = min(INFERENCE_BATCH, 1 << max(len(rows) - 1, 0).bit_length())
    parts = []
    for start in range(0, max(len(rows), 1), size):
        part = rows[start : start + size]
        filled = np.concatenate([part, np.zeros((size - len(part), *rows.shape[1:]), rows.dtype)])
        parts.append(np.asarray(apply(model, filled))[: len(part)])
    return np.concatenate(parts)


def load_run(path: str | Path) -> Run:
    """Open a finished run folder; nothing but the folder is needed."""
    folder = RunFolder(Path(path))
    folder.require_finished()
    config = folder.load_config()
    sample_shape, normalisation = folder.load_data_facts()
    model = build_model(config.model, sample_shape, seed=config.training.seed)
    restore_model(model, folder)
    with np.load(folder.latent, allow_pickle=False) as latent:
        return _run_of(folder, config, model, normalisation, sample_shape, latent)


def load_run_at(path: str | Path, step: int, dataset: Dataset) -> Run:
    """Open a run, finished or not, at one of its checkpoints; the basis is fitted anew, on the data set of the run."""
    folder = RunFolder(Path(path))
    config = folder.load_config()
    folder.require_same_data(dataset)
    model = build_model(config.model, dataset.sample_shape, seed=config.training.seed)
    restore_model(model, folder, step)
    spectrum = model.fit_basis(ordered_batches(dataset.train, dataset.normalisation))
    latent = describe_latent(model, dataset, spectrum)
    return _run_of(folder, config, model, dataset.normalisation, dataset.sample_shape, latent)


def _run_of(
    folder: RunFolder,
    config: RunConfig,
    model: Autoencoder,
    normalisation: Normalisation,
    sample_shape: tuple[int, ...],
    latent: Mapping[str, np.ndarray],
) -> Run:
    """A run from its parts; `latent` is what `describe_latent` gives."""
    return Run(
        folder,
        config,
        model,
        normalisation,
        sample_shape,
        latent["coefficients"],
        latent.get("labels"),
        latent["singular_values"],
        latent["examples"],
    )


def restore_model(model: Autoencoder, folder: RunFolder, step: int | None = None) -> None:
    """Give `model` the variables of one checkpoint, by default the newest that is whole, and set it to inference."""
    with CheckpointStore(folder.checkpoints, alone=True) as store:
        checkpoint = store.restore_newest() if step is None else store.restore(store.require_step(step))
    prefix = "variables/0/"
    state = nnx.state(model)
    arrays = {name.removeprefix(prefix): a for name, a in checkpoint.arrays.items() if name.startswith(prefix)}
    try:
        nnx.update(model, unflatten(state, arrays))
    except ValueError as error:
        raise InputError(f"the checkpoint in {folder.checkpoints} is of another model: {error}") from None
    if isinstance(model.bottleneck, FittedBasis):  # the last checkpoint of a finished run has it fitted
        model.bottleneck.set_basis(model.bottleneck.basis[...])
    model.eval()
