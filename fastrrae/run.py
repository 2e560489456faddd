"""A finished run as an object: the trained model, with inputs and outputs in the units of the data."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from .data import Dataset, Normalisation, load_dataset, ordered_batches
from .densities import GaussianMixture
from .errors import InputError
from .interpolation import PathKind, interpolate
from .latent_summary import summarise_latent
from .models import Autoencoder
from .models.build import Part
from .models.priors import Density
from .run_config import RunConfig
from .run_folder import RunFolder
from .surrogates import Method, Surrogate
from .surrogates.parameter_space import ParameterSpace
from .surrogates.surrogate import MethodName
from .trained_model import TrainedModel
from .training.own_parts import OwnParts, rebuild
from .training.restore import read_final, restore_step, set_variables
from .traversal import coefficient_ranges, points_along


@dataclass(frozen=True)
class Run(TrainedModel):
    """A finished run, as `load_run` returns it: a trained model, and what its folder keeps of the training set.

    Samples in and out have the shape (count, *sample_shape) and the units of the data.

    Example:
        >>> run = load_run("runs/mine")
        >>> run.sample(100, seed=1), run.coefficients(x), run.reconstruct(x)
    """

    folder: RunFolder
    training_coefficients: np.ndarray  # (train_count, rank)
    training_labels: np.ndarray | None
    singular_values: np.ndarray  # of the whole training latent matrix, descending
    examples: np.ndarray  # some test samples
    label_names: tuple[str, ...] = ()  # of the labels 0, 1, ..., where they have names
    training_parameters: np.ndarray | None = None  # (train_count, P); runs of earlier versions did not keep them
    parameter_names: tuple[str, ...] = ()
    training_logvars: np.ndarray | None = None  # (train_count, rank), of variational models; earlier runs kept none

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

    def traverse(self, coefficient: int, steps: int = 9, start: int | np.ndarray | None = None) -> np.ndarray:
        """Samples along one coefficient, the others kept: (steps, *sample_shape).

        The coefficient takes `steps` evenly spaced values between its 2.5 % and 97.5 % quantiles over the training set
        (`coefficient_ranges`). For a rank-reducing model, coefficient 0 belongs to the largest singular value.

        Args:
            coefficient: which one, from 0.
            steps: how many samples, both ends included.
            start: what the others are: coefficients (rank,), a sample, or the index of one of `examples`; by default
                the mean over the training set.

        Raises:
            InputError: there is no such coefficient or example, fewer than two steps, or a `start` of another shape.

        Example:
            >>> run.traverse(0, steps=5).shape  # of a run on the digits
            (5, 8, 8, 1)
        """
        origin = self.mean_coefficients if start is None else self.coefficients_at(start, "start")
        return self.decode(points_along(origin, coefficient, self.coefficient_ranges, steps))

    def interpolate(
        self, a: int | np.ndarray, b: int | np.ndarray, steps: int = 9, method: PathKind = "linear"
    ) -> np.ndarray:
        """Samples between two others through the space of coefficients, both ends included: (steps, *sample_shape).

        Args:
            a, b: the ends: samples (*sample_shape), coefficients (rank,), or indices of `examples`, the test samples
                that a run keeps; a training sample is `training_coefficients[index]`.
            steps: how many samples.
            method: linear: a straight line. spherical: along the great circle (Shoemake 1985), which keeps the length
                of the coefficients; see `fastrrae.interpolation.points_between`.

        Raises:
            InputError: an end is none of these, fewer than two steps, or an unknown `method`.

        Example:
            >>> run.interpolate(0, 5, steps=7, method="spherical").shape  # of a run on the digits
            (7, 8, 8, 1)
        """
        if steps < 2:
            raise InputError(f"`steps` must be at least 2, both ends included; got {steps}")
        ends = self.coefficients_at(a, "a"), self.coefficients_at(b, "b")
        return self.decode(interpolate(*ends, steps, method))

    def coefficients_at(self, point: int | np.ndarray, name: str = "point") -> np.ndarray:
        """Coefficients (rank,) of a sample, of the example of that index, or as they are given.

        Raises:
            InputError: `point`, called `name`, is none of these, or could be both: where samples are vectors of as many
                features as there are coefficients, encode samples with `coefficients`, and decode with `decode`.
        """
        if isinstance(point, int | np.integer):
            if not 0 <= point < len(self.examples):
                raise InputError(
                    f"`{name}` must be from 0 to {len(self.examples) - 1}, an index of `examples`; got {point}"
                )
            return self.coefficients(self.examples[point][None])[0]
        values = np.asarray(point)
        if values.shape not in (self.sample_shape, (self.rank,)):
            raise InputError(
                f"`{name}` must be a sample {self.sample_shape}, coefficients ({self.rank},), or an index of "
                f"`examples`; got the shape {values.shape}"
            )
        if self.sample_shape == (self.rank,):
            raise InputError(
                f"`{name}` could be a sample or coefficients, which both have the shape {values.shape}: give the index "
                f"of an example, or use `coefficients`, `fastrrae.interpolation` and `decode`"
            )
        return values if values.shape == (self.rank,) else self.coefficients(values[None])[0]

    @cached_property
    def coefficient_ranges(self) -> np.ndarray:
        """The range (rank, 2) of each coefficient: its 2.5 % and 97.5 % quantiles over the training set."""
        return coefficient_ranges(self.training_coefficients)

    @cached_property
    def mean_coefficients(self) -> np.ndarray:
        """The mean (rank,) of the training coefficients."""
        return self.training_coefficients.mean(axis=0)

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

    def surrogate(
        self, method: MethodName | Method | Any = "rbf", *, parameters: np.ndarray | Dataset | None = None
    ) -> Surrogate:
        """A surrogate: the training coefficients interpolated over the parameters of the training set, then decoded.

        Args:
            method: rbf (radial basis functions, `RadialBasis()`), linear (between scattered samples,
                `PiecewiseLinear()`) or gp (`GaussianProcess()`, with standard deviations), one of these with other
                options, or any scikit-learn regressor.
            parameters: parameters of the training set, (train_count, P) in its order, or the data set of the run; by
                default those that the run keeps.

        Raises:
            InputError: the data has no parameters, or the method cannot be fitted on them.

        Example:
            >>> surrogate = load_run("runs/pulse-rrae").surrogate()
            >>> surrogate.predict([[0.3, 0.05]])  # speed and width
        """
        space = self._parameter_space(parameters)
        return Surrogate.fit(space, self.training_coefficients, self.model, self.normalisation, method)

    def _parameter_space(self, parameters: np.ndarray | Dataset | None) -> ParameterSpace:
        names, values = self.parameter_names, self.training_parameters
        if isinstance(parameters, Dataset):
            self.folder.require_same_data(parameters)
            names, values = parameters.parameter_names, parameters.parameters.get("train")
        elif parameters is not None:
            values = np.asarray(parameters, np.float64).reshape(len(parameters), -1)
            names = names if len(names) == values.shape[1] else ()
        if values is None:
            raise InputError(
                f"a surrogate needs the parameters of the training samples, and the run in {self.folder.root} keeps "
                f"none: its data has none, or it was trained by an earlier version. In Python, give them: "
                f"run.surrogate(parameters=...)"
            )
        if len(values) != len(self.training_coefficients):
            raise InputError(
                f"`parameters` must have a row for each of {len(self.training_coefficients)} training samples; got "
                f"{len(values)}"
            )
        return ParameterSpace(names, values)

    @cached_property
    def density(self) -> GaussianMixture:
        """The mixture that `sample` draws from, fitted on first use."""
        settings = self.config.evaluation
        return GaussianMixture.fit(self.training_coefficients, settings.mixture_components, settings.evaluation_seed)


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
    built = rebuild(config, sample_shape, parts, of=f"the run in {folder.root}")
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
    built = rebuild(config, dataset.sample_shape, parts, of=f"the run in {folder.root}")
    restore_step(built, folder, step)
    spectrum = built.fit_basis(ordered_batches(dataset.train, dataset.normalisation))
    latent = summarise_latent(built, dataset, spectrum)
    return _run_of(folder, config, built, dataset.normalisation, dataset.sample_shape, latent)


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
        config,
        model,
        normalisation,
        sample_shape,
        folder,
        latent["coefficients"],
        latent.get("labels"),
        latent["singular_values"],
        latent["examples"],
        tuple(latent.get("label_names", np.array([])).tolist()),
        latent.get("parameters"),
        tuple(latent.get("parameter_names", np.array([])).tolist()),
        latent.get("logvars"),
    )
