"""What every source returns: raw values, how they are normalised, and named test sets."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from ..errors import InputError

Scaling = Literal["none", "unit", "standard"]


@dataclass(frozen=True)
class Normalisation:
    """Values that enter a model are `(raw - offset) / scale`; `invert` takes them back."""

    offset: float
    scale: float

    def apply(self, raw: np.ndarray) -> np.ndarray:
        """Raw values of any type to float32 model values."""
        return (np.asarray(raw, np.float32) - np.float32(self.offset)) * np.float32(1 / self.scale)

    def invert(self, values: np.ndarray) -> np.ndarray:
        """Model values to float32 raw values, in the units of the data."""
        return np.asarray(values, np.float32) * np.float32(self.scale) + np.float32(self.offset)


@dataclass(frozen=True)
class Dataset:
    """Training and test samples as arrays (count, *sample_shape), in the units of the source.

    `sample_shape` is (D,) for vectors, (T, C) for signals, (H, W, C) for images. The first test set is the main one.
    """

    train: np.ndarray
    tests: dict[str, np.ndarray]
    normalisation: Normalisation
    labels: dict[str, np.ndarray] = field(default_factory=dict)  # by split name, "train" included; where known

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return self.train.shape[1:]

    @property
    def test(self) -> np.ndarray:
        """The main test set."""
        return next(iter(self.tests.values()))


def fit_normalisation(train: np.ndarray, scaling: Scaling, value_range: tuple[float, float] | None) -> Normalisation:
    """The normalisation of a training set.

    none: values as they are. unit: `value_range`, or the set's own, to [0, 1]. standard: zero mean and unit standard
    deviation over all values of the training set together.
    """
    if scaling == "none":
        return Normalisation(0.0, 1.0)
    if scaling == "unit":
        low, high = value_range or (float(train.min()), float(train.max()))
        offset, scale = low, high - low
    else:
        offset, scale = float(train.mean(dtype=np.float64)), float(train.std(dtype=np.float64))
    if not scale > 0:
        raise InputError(
            f"all values of the training set equal {offset}: there is nothing to scale. Use --normalise none"
        )
    return Normalisation(offset, scale)
