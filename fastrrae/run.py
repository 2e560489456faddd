"""A finished run as an object: the trained model, with inputs and outputs in the units of the data."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from .data import Dataset, Normalisation, ordered_batches
from .densities import GaussianMixture
from .errors import InputError
from .latent_summary import summarise_latent
from .models import Autoencoder
from .models.build import Part
from .models.inference import infer
from .models.priors import Density
from .run_config import RunConfig
from .run_folder import RunFolder
from .training.own_parts import OwnParts, require_parts
from .training.restore import read_final, restore_step, set_variables


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

    @property
    def name(self) -> str:
        """What the model is called: the configured model, or the user's own."""
        own = self.config.own_parts.get("bottleneck")
        return self.config.model.name if own is None else own.split()[0].rpartition(".")[2]

    @property
    def rank(self) -> int:
        """Coefficients per sample."""
        return self.model.bottleneck.rank

    def reconstruct(self, samples: np.ndarray) -> np.ndarray:
        """Samples encoded and decoded."""
        return self.decode(self.coefficients(samples))

    def coefficients(self, samples: np.ndarray) -> np.ndarray:
        """Coefficients (count, rank) of samples."""
        return infer(self.model, "coefficients", self._model_values(samples))

    def decode(self, coefficients: np.ndarray) -> np.ndarray:
        """Samples from coefficients (count, rank)."""
        coefficients = np.asarray(coefficients, np.float32)
        if coefficients.ndim != 2 or coefficients.shape[1] != self.rank:
            raise InputError(f"`coefficients` must have shape (count, {self.rank}); got {coefficients.shape}")
        return self.normalisation.invert(infer(self.model, "decode", coefficients))

    def sample(self, count: int, *, seed: int | None = None, density: Density | None = None) -> np.ndarray:
        """New samples, by default from a Gaussian mixture fitted on the coefficients of the training set."""
        if count < 1:
            raise InputError(f"`count` must be at least 1; got {count}")
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


def load_run(
    path: str | Path,
    *,
    model: Part | None = None,
    encoder: Part | None = None,
    decoder: Part | None = None,
    bottleneck: Part | None = None,
) -> Run:
    """Open a finished run folder; nothing but the folder is needed, and the user's own networks if it was given any.

    Args:
        path: the run folder.
        model: as handed to `train`; likewise `encoder`, `decoder` and `bottleneck`.

    Raises:
        InputError: the run has not finished, a file of it is damaged, or it needs parts that are not given or differ.
    """
    folder = RunFolder(Path(path))
    folder.require_finished()
    config = folder.load_config()
    sample_shape, normalisation = folder.load_data_facts()
    built = _build(folder, config, sample_shape, OwnParts(model, encoder, decoder, bottleneck))
    set_variables(built, read_final(folder), folder)
    return _run_of(folder, config, built, normalisation, sample_shape, folder.load_latent())


def load_run_at(path: str | Path, step: int, dataset: Dataset, **parts: Part | None) -> Run:
    """Open a run, finished or not, at one of its checkpoints; the basis is fitted on `dataset`, which must be its own.

    Args:
        path: the run folder.
        step: of the checkpoint.
        dataset: the data set of the run.
        **parts: as those of `load_run`.
    """
    folder = RunFolder(Path(path))
    config = folder.load_config()
    folder.require_same_data(dataset)
    built = _build(folder, config, dataset.sample_shape, OwnParts(**parts))  # pyright: ignore[reportArgumentType]
    restore_step(built, folder, step)
    spectrum = built.fit_basis(ordered_batches(dataset.train, dataset.normalisation))
    latent = summarise_latent(built, dataset, spectrum)
    return _run_of(folder, config, built, dataset.normalisation, dataset.sample_shape, latent)


def _build(folder: RunFolder, config: RunConfig, sample_shape: tuple[int, ...], parts: OwnParts) -> Autoencoder:
    missing = [name for name in ("encoder", "decoder", "bottleneck") if name in config.own_parts]
    given = [name for name in missing if parts.model is not None or getattr(parts, name) is not None]
    if missing != given:
        names = ", ".join(f"{name} {config.own_parts[name].split()[0]}" for name in missing if name not in given)
        raise InputError(
            f"the run in {folder.root} was trained with own parts: {names}. Hand them over as well, as `model` or one "
            f"by one"
        )
    built = parts.build(config, sample_shape)
    require_parts(config, built, of=f"the run in {folder.root}")
    return built


def _run_of(
    folder: RunFolder,
    config: RunConfig,
    model: Autoencoder,
    normalisation: Normalisation,
    sample_shape: tuple[int, ...],
    latent: Mapping[str, np.ndarray],
) -> Run:
    """A run from its parts; `latent` is what `summarise_latent` gives."""
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
