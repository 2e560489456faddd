"""What every source returns: raw values, how they are normalised, named test sets, and what is known of each sample."""

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from ..config import DataConfig
from ..errors import InputError
from ..grammars import StringCodec
from .arrays import Layout, encode_labels, parameter_array, refuse_zeros, require_one_each, to_samples
from .fingerprint import fingerprint_of
from .normalisation import Normalisation, Scaling, fit_normalisation
from .samples import Samples
from .splits import hold_out, select, split_at_random

VALIDATION = "validation"
_SIDE_DATA = ("labels", "parameters", "attributes", "sample_names")


@dataclass(frozen=True)
class Dataset:
    """Training and test samples (count, *sample_shape), in the units of the source.

    `sample_shape` is (D,) for vectors, (T, C) for signals, (H, W, C) for images. What is known of samples is stored by
    split: "train", and the names of `tests`.

    Attributes:
        train: the training set.
        tests: test sets by name. The first is the main one; one named "validation" is the validation split.
        normalisation: from raw values to those that a model sees.
        labels: classes as integers, (count,), by split, where known.
        known_fingerprint: a digest of the contents, where it is known without reading them.
        label_names: what the labels 0, 1, ... stand for, where that is known.
        parameters: numbers that each sample belongs to, (count, P), by split; for example of a simulation.
        parameter_names: names of the P parameters, where known.
        attributes: by split, then by name: (count,) true or false for each sample.
        sample_names: by split, what each sample is called, where known.
        description: one line on where the data came from.
        loaded_from: the configuration that loads the data set again; None of one that was made in Python.
        codec: the codec of strings, whose samples are one-hot sequences; see `dataset_of_strings`.

    Raises:
        InputError: there are no training or no test samples, or shapes or counts do not agree.
    """

    train: Samples
    tests: Mapping[str, Samples]
    normalisation: Normalisation
    labels: dict[str, np.ndarray] = field(default_factory=dict)
    known_fingerprint: str = ""
    label_names: tuple[str, ...] = ()
    parameters: dict[str, np.ndarray] = field(default_factory=dict)
    parameter_names: tuple[str, ...] = ()
    attributes: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    sample_names: dict[str, Sequence[str]] = field(default_factory=dict)
    description: str = ""
    loaded_from: DataConfig | None = None
    codec: StringCodec | None = None

    def __post_init__(self) -> None:
        _require_agreement(self)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of shape, type and values of samples, labels and parameters (`fingerprint_of`)."""
        if self.known_fingerprint:
            return self.known_fingerprint
        sides = {f"labels of {split}": values for split, values in self.labels.items()}
        sides |= {f"parameters of {split}": values for split, values in self.parameters.items()}
        return fingerprint_of({"train": self.train, **self.tests, **sides})

    @classmethod
    def from_arrays(
        cls,
        x: Any,
        labels: ArrayLike | None = None,
        parameters: ArrayLike | None = None,
        test: Any = None,
        test_labels: ArrayLike | None = None,
        test_fraction: float = 0.2,
        validation_fraction: float = 0.0,
        normalise: Literal["auto"] | Scaling = "auto",
        seed: int = 0,
        *,
        test_parameters: ArrayLike | None = None,
        layout: Layout = "auto",
        label_names: Sequence[str] = (),
        parameter_names: Sequence[str] = (),
        description: str = "arrays in memory",
    ) -> "Dataset":
        """A data set of your own samples, split and normalised.

        ```python
        x = np.random.default_rng(0).standard_normal((500, 12))              # 500 samples of 12 features
        data = Dataset.from_arrays(x, labels=np.where(x[:, 0] > 0, "hot", "cold"), validation_fraction=0.1)
        data.train.shape, data.validation.shape, data.test.shape, data.label_names
        # ((350, 12), (50, 12), (100, 12), ("cold", "hot"))
        ```

        Args:
            x: real numbers, samples along the first axis: vectors (N, D), signals (N, T, C) or images (N, H, W, C). An
                array (also memory-mapped), a grain `MapDataset` of arrays, or any `Samples`. float64 is kept.
            labels, test_labels: a class for each sample, integers or strings; strings become `label_names`.
            parameters, test_parameters: (N,) or (N, P) numbers that each sample belongs to.
            test: samples to test on; without them `test_fraction` of `x`, drawn by `seed`.
            validation_fraction: share of `x` for the split "validation".
            normalise: as in `fit_normalisation`. auto: standard-per-feature for vectors, standard for others.
            layout: what one sample is; auto goes by the number of axes. A missing channel axis is added.
            label_names: names of the classes 0, 1, ..., of integer labels.

        Raises:
            InputError: values are no real numbers, not finite or beyond float32; shapes or counts do not agree; a split
                is left with fewer than two samples to train or to test on.
        """
        samples = to_samples(x, layout, "x")
        if test is None:
            parts = _drawn(len(samples), test_fraction, validation_fraction, seed)
            splits = {name: select(samples, indices) for name, indices in parts.items()}
        else:
            parts, splits = {"train": slice(None)}, {"train": samples, "test": to_samples(test, layout, "test")}
        _require_two(splits, len(samples))
        sides = _side_data(
            (labels, test_labels), (parameters, test_parameters), label_names, parts, splits, len(samples)
        )
        train = splits.pop("train")
        normalisation = fit_normalisation(train, _own_scaling(train) if normalise == "auto" else normalise, None)
        refuse_zeros(splits["test"], normalisation)
        names = tuple(parameter_names)
        dataset = cls(train, splits, normalisation, **sides, parameter_names=names, description=description)
        return dataset if test is None else dataset.with_validation(validation_fraction, seed)

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return tuple(self.train.shape[1:])

    @property
    def test(self) -> Samples:
        """The main test set."""
        return next(iter(self.tests.values()))

    @property
    def validation(self) -> Samples | None:
        """The validation split, if there is one."""
        return self.tests.get(VALIDATION)

    @property
    def normalise_on_host(self) -> bool:
        """Whether raw batches have to be normalised before they are moved to a device, to keep their resolution."""
        return Normalisation.must_run_on_host(self.train.dtype)

    def first(self, count: int) -> "Dataset":
        """This data set with `count` of its training samples, normalised as it was; test sets stay whole."""
        if not 1 <= count <= len(self.train):
            raise InputError(f"`train_count` must be at least 1 and at most {len(self.train)}; got {count}")
        return self._with_training_samples(np.arange(count))

    def with_validation(self, fraction: float, seed: int = 0) -> "Dataset":
        """This data set with a share of its training samples as the split "validation", normalised as it was."""
        if not fraction:
            return self
        if self.validation is not None:
            raise InputError(
                f"`validation_fraction` must be 0 for data that has a validation split already; got {fraction}"
            )
        train, validation = hold_out(len(self.train), fraction, seed=seed)
        rest = self._with_training_samples(train)
        held_out = self._with_training_samples(validation)
        sides = {
            name: {**values, VALIDATION: getattr(held_out, name)["train"]} if "train" in values else values
            for name in _SIDE_DATA
            if (values := getattr(rest, name)) is not None
        }
        return dataclasses.replace(rest, tests={**self.tests, VALIDATION: held_out.train}, **sides)

    def _with_training_samples(self, indices: np.ndarray) -> "Dataset":
        sides = {
            name: {split: _rows(rows, indices) if split == "train" else rows for split, rows in values.items()}
            for name in _SIDE_DATA
            if (values := getattr(self, name)) is not None
        }
        known = (
            self.known_fingerprint and hashlib.sha256(self.known_fingerprint.encode() + indices.tobytes()).hexdigest()
        )
        return dataclasses.replace(self, train=select(self.train, indices), known_fingerprint=known, **sides)


def _drawn(count: int, test_fraction: float, validation_fraction: float, seed: int) -> dict[str, np.ndarray]:
    """Indices by split; the main test set before the validation split."""
    split = split_at_random(count, test_fraction, validation_fraction, seed=seed)
    parts = {"train": split.train, "test": split.test, VALIDATION: split.validation}
    return {name: indices for name, indices in parts.items() if len(indices)}


def _require_two(splits: Mapping[str, Samples], count: int) -> None:
    """An interpolation has two ends, and a deviation needs two samples."""
    train, test = splits["train"], splits["test"]
    if train.shape[1:] != test.shape[1:]:
        raise InputError(f"train and test samples differ in shape: {train.shape[1:]} and {test.shape[1:]}")
    for name, samples in (("train", train), ("test", test)):
        if len(samples) < 2:
            raise InputError(
                f"the split {name!r} must have at least 2 samples; it has {len(samples)}, of {count} in all. Give more "
                f"samples, or another `test_fraction`"
            )


def _own_scaling(train: Samples) -> Scaling:
    """Features of a table have units of their own; the values of an image or signal have one in common."""
    return "standard-per-feature" if len(train.shape) == 2 else "standard"


def _side_data(
    labels: tuple[ArrayLike | None, ArrayLike | None],
    parameters: tuple[ArrayLike | None, ArrayLike | None],
    label_names: Sequence[str],
    parts: Mapping[str, Any],
    splits: Mapping[str, Samples],
    count: int,
) -> dict[str, Any]:
    """Labels and parameters by split; of each, those of all `count` samples, and those of samples to test on alone."""
    classes, test_classes, names = encode_labels(*labels, label_names)
    require_one_each("labels", classes, count)
    numbers = parameter_array(parameters[0], count)
    test_numbers = parameter_array(parameters[1], len(splits["test"]), "test_")
    if "test" in parts and not (test_classes is None and test_numbers is None):
        raise InputError("`test_labels` and `test_parameters` belong to samples given as `test`; there are none")
    by_split = {"labels": (classes, test_classes), "parameters": (numbers, test_numbers)}
    return {name: _by_split(own, parts, test) for name, (own, test) in by_split.items()} | {"label_names": names}


def _by_split(values: np.ndarray | None, parts: Mapping[str, Any], test: np.ndarray | None) -> dict[str, np.ndarray]:
    own = {} if values is None else {name: values[indices] for name, indices in parts.items()}
    return own if test is None else {**own, "test": test}


def _rows(values: Any, indices: np.ndarray) -> Any:
    """Rows of an array, of a list, or of each array of a mapping."""
    if isinstance(values, Mapping):
        return {name: array[indices] for name, array in values.items()}
    return values[indices] if isinstance(values, np.ndarray) else [values[index] for index in indices]


def _require_agreement(dataset: Dataset) -> None:
    """Raise unless all splits have samples of one shape, and as many labels and so on as samples."""
    splits = {"train": dataset.train, **dataset.tests}
    if not dataset.tests:
        raise InputError("`tests` must have at least one test set")
    for name, samples in splits.items():
        if not len(samples):
            raise InputError(f"there are no samples in the split {name!r}")
        if tuple(samples.shape[1:]) != dataset.sample_shape:
            raise InputError(
                f"all samples must have one shape: those to train on have {dataset.sample_shape}, those of {name!r} "
                f"have {tuple(samples.shape[1:])}"
            )
    for kind in ("labels", "parameters", "sample_names"):
        for name, values in getattr(dataset, kind).items():
            _require_count(kind, name, splits, len(values))
    _require_names(dataset.parameters, dataset.parameter_names)
    for name, attributes in dataset.attributes.items():
        for attribute, values in attributes.items():
            _require_count(f"attribute {attribute!r}", name, splits, len(values))


def _require_names(parameters: Mapping[str, np.ndarray], names: Sequence[str]) -> None:
    """Raise unless all splits have the same number of parameters, and a name for each if there are names."""
    counts = {split: values.shape[1] if np.ndim(values) == 2 else 1 for split, values in parameters.items()}
    if len(set(counts.values())) > 1:
        raise InputError(f"all splits must have the same number of parameters; got {counts}")
    for split, count in counts.items():
        if names and len(names) != count:
            raise InputError(
                f"`parameter_names` must name each of the {count} parameters of the split {split!r}; got "
                f"{', '.join(names)}"
            )
    if len(set(names)) != len(names):
        raise InputError(f"`parameter_names` must differ from each other; got {', '.join(names)}")


def _require_count(kind: str, split: str, splits: Mapping[str, Samples], count: int) -> None:
    if split not in splits:
        raise InputError(f"there are {kind} for a split {split!r}, which does not exist; there are {sorted(splits)}")
    if count != len(splits[split]):
        raise InputError(
            f"the split {split!r} has {len(splits[split])} samples and {count} {kind}: there must be one for each"
        )
