"""A finished run as an object: the trained model, with inputs and outputs in the units of the data."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from .data import Dataset, Normalisation, load_dataset, ordered_batches
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
    """A finished run, as `load_run` returns it.

    Samples in and out have the shape (count, *sample_shape) and the units of the data.

    Example:
        >>> run = load_run("runs/mine")
        >>> run.sample(100, seed=1), run.coefficients(x), run.reconstruct(x)
    """

    folder: RunFolder
    config: RunConfig
    model: Autoencoder
    normalisation: Normalisation
    sample_shape: tuple[int, ...]
    training_coefficients: np.ndarray  # (train_count, rank)
    training_labels: np.ndarray | None
    singular_values: np.ndarray  # of the whole training latent matrix, descending
    examples: np.ndarray  # some test samples
    label_names: tuple[str, ...] = ()  # of the labels 0, 1, ..., where they have names

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

    def sample(
        self, count: int, *, seed: int | None = None, density: Density | None = None, label: int | str | None = None
    ) -> np.ndarray:
        """New samples, by default from a Gaussian mixture fitted on the coefficients of the training set.

        Args:
            count: how many.
            seed: the same gives the same samples.
            density: what coefficients are drawn from instead.
            label: draw samples of this class alone, by its number or name: see `density_of`.
        """
        if count < 1:
            raise InputError(f"`count` must be at least 1; got {count}")
        if label is not None:
            if density is not None:
                raise InputError(
                    "give `density` or `label`, not both: with a label, the density is fitted on its samples"
                )
            density = self.density_of(label)
        seed = self.config.evaluation.evaluation_seed if seed is None else seed
        return self.decode((density or self.density).sample(count, seed))

    def coefficients_of(self, label: int | str) -> np.ndarray:
        """The training coefficients (count, rank) of one class, by its number or name.

        Raises:
            InputError: the run has no labels, no such class, or fewer than two samples of it.
        """
        if self.training_labels is None:
            raise InputError(f"`label` needs data with labels; the run in {self.folder.root} has none")
        known = [int(number) for number in np.unique(self.training_labels)]
        named = {name: number for number, name in enumerate(self.label_names)}
        number = named.get(label, label) if isinstance(label, str) else label
        if isinstance(number, str) and number.isdecimal() and not named:
            number = int(number)
        if number not in known:
            choices = [self.label_names[number] for number in known] if named else known
            shown = ", ".join(map(str, choices[:20])) + (", ..." if len(choices) > 20 else "")
            raise InputError(f"`label` must be a class of the training set ({shown}); got {label!r}")
        found = self.training_coefficients[self.training_labels == number]
        if len(found) < 2:
            raise InputError(f"`label` must be a class of at least two training samples; {label!r} has {len(found)}")
        return found

    def density_of(self, label: int | str) -> GaussianMixture:
        """A mixture fitted on the coefficients of one class, with fewer components where it has few samples."""
        settings, coefficients = self.config.evaluation, self.coefficients_of(label)
        components = max(1, min(settings.mixture_components, len(coefficients) // (5 * self.rank)))
        return GaussianMixture.fit(coefficients, components, settings.evaluation_seed)

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
    step: int | Literal["latest"] | None = None,
    dataset: Dataset | None = None,
    model: Part | None = None,
    encoder: Part | None = None,
    decoder: Part | None = None,
    bottleneck: Part | None = None,
) -> Run:
    """Open a finished run folder; nothing but the folder is needed, and the user's own networks if it was given any.

    Args:
        path: the run folder.
        step: open the run, finished or not, at this checkpoint, or at the latest one that is whole. The basis of a
            rank-reducing model is then fitted on the training set.
        dataset: the data of the run, for `step`; by default loaded as the run's configuration says.
        model: as handed to `train`; likewise `encoder`, `decoder` and `bottleneck`.

    Raises:
        InputError: the run has not finished and no `step` is given, a file of it is damaged, the data is not its own,
            or it needs parts that are not given or differ.

    Example:
        >>> load_run("runs/mine", step="latest").reconstruct(x)  # of a run that is still training
    """
    folder, parts = RunFolder(Path(path)), OwnParts(model, encoder, decoder, bottleneck)
    if step is not None:
        return _load_checkpoint(folder, None if step == "latest" else step, dataset, parts)
    folder.require_finished()
    config = folder.load_config()
    sample_shape, normalisation = folder.load_data_facts()
    built = _build(folder, config, sample_shape, parts)
    set_variables(built, read_final(folder), folder)
    return _run_of(folder, config, built, normalisation, sample_shape, folder.load_latent())


def _load_checkpoint(folder: RunFolder, step: int | None, dataset: Dataset | None, parts: OwnParts) -> Run:
    config = folder.load_config()
    if dataset is None:
        if config.data.source == "own":
            raise InputError(
                f"`dataset` must be given to open a checkpoint of the run in {folder.root}: its data was handed over "
                f"in Python"
            )
        dataset = load_dataset(config.data)
    folder.require_same_data(dataset)
    built = _build(folder, config, dataset.sample_shape, parts)
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
        tuple(latent.get("label_names", np.array([])).tolist()),
    )
