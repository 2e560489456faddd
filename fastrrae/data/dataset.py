"""What every source returns: raw values, how they are normalised, and named test sets."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from ..errors import InputError

Scaling = Literal["none", "unit", "standard"]


class Samples(Protocol):
    """Raw samples, (count, *sample_shape): a NumPy array, or files that are read when they are indexed."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(count, *sample_shape)."""
        ...

    @property
    def dtype(self) -> np.dtype:
        """Of the raw values."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: Any, /) -> np.ndarray:
        """The samples of a slice, or of an array of indices."""
        ...

    def __array__(self) -> np.ndarray:
        """All of them, in memory."""
        ...


@dataclass(frozen=True)
class Normalisation:
    """Values that enter a model are `(raw - offset) / scale`; `invert` takes them back."""

    offset: float
    scale: float

    def apply(self, raw: ArrayLike) -> np.ndarray:
        """Raw values of any type to float32 model values."""
        return (np.asarray(raw, np.float32) - np.float32(self.offset)) * np.float32(1 / self.scale)

    def apply_on_device(self, raw: jax.Array) -> jax.Array:
        """`apply` inside a compiled program: raw bytes are a quarter of what their float32 values would be to move."""
        return (raw.astype(jnp.float32) - jnp.float32(self.offset)) * jnp.float32(1 / self.scale)

    def invert(self, values: np.ndarray) -> np.ndarray:
        """Model values to float32 raw values, in the units of the data."""
        return np.asarray(values, np.float32) * np.float32(self.scale) + np.float32(self.offset)


@dataclass(frozen=True)
class Dataset:
    """Training and test samples (count, *sample_shape), in the units of the source.

    `sample_shape` is (D,) for vectors, (T, C) for signals, (H, W, C) for images. The first test set is the main one.
    """

    train: Samples
    tests: Mapping[str, Samples]
    normalisation: Normalisation
    labels: dict[str, np.ndarray] = field(default_factory=dict)  # by split name, "train" included; where known
    fingerprint: str = ""  # of the files it is read from, where that is known without reading them

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return tuple(self.train.shape[1:])

    @property
    def test(self) -> Samples:
        """The main test set."""
        return next(iter(self.tests.values()))


def fit_normalisation(train: np.ndarray, scaling: Scaling, value_range: tuple[float, float] | None) -> Normalisation:
    """The normalisation of a training set.

    none: values as they are. unit: `value_range`, or the set's own, to [0, 1]. standard: zero mean and unit standard
    deviation over all values of the training set together.
    """
    if scaling == "standard":
        mean, deviation = float(train.mean(dtype=np.float64)), float(train.std(dtype=np.float64))
        return normalisation_of(scaling, mean=mean, deviation=deviation)
    if scaling == "unit" and value_range is None:
        value_range = float(train.min()), float(train.max())
    return normalisation_of(scaling, value_range or (0, 1))


def normalisation_of(
    scaling: Scaling, value_range: tuple[float, float] = (0, 1), *, mean: float = 0.0, deviation: float = 1.0
) -> Normalisation:
    """The normalisation by what is known of a training set."""
    if scaling == "none":
        return Normalisation(0.0, 1.0)
    offset, scale = (value_range[0], value_range[1] - value_range[0]) if scaling == "unit" else (mean, deviation)
    if not scale > 0:
        raise InputError(
            f"all values of the training set equal {offset}: there is nothing to scale. Use --normalise none"
        )
    return Normalisation(offset, scale)
