"""How raw values become the values that a model sees: one offset and scale, or one for each feature or channel."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from ..errors import InputError
from .samples import Samples, blocks

Scaling = Literal["none", "unit", "standard", "unit-per-feature", "standard-per-feature"]
Numbers = float | tuple[float, ...]

_RESOLUTION = 1e-4  # of a scale: the coarsest float32 step that `invert` accepts before it returns float64


@dataclass(frozen=True)
class Normalisation:
    """Values that enter a model are `(raw - offset) / scale`; `invert` takes them back.

    Attributes:
        offset, scale: a number for all values, or one for each entry of the last axis of the samples: each feature of
            vectors (D,), each channel of signals (T, C) and images (H, W, C).
    """

    offset: Numbers
    scale: Numbers

    def __post_init__(self) -> None:
        for name in ("offset", "scale"):
            values = np.asarray(getattr(self, name), np.float64)
            object.__setattr__(self, name, tuple(values.tolist()) if values.ndim else values.item())

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Normalisation":
        """From what `as_json` gave, in this version or an earlier one."""
        return cls(values["offset"], values["scale"])

    def as_json(self) -> dict[str, float | list[float]]:
        """Numbers, or lists of them."""
        return {name: list(n) if isinstance(n, tuple) else n for name, n in self._numbers().items()}

    @staticmethod
    def must_run_on_host(dtype: np.dtype) -> bool:
        """Whether float32, in which devices compute, cannot hold raw values of this type exactly.

        Such values (float64, integers of 32 bits and more) are normalised in float64 by `apply`, before they are moved
        to a device: an offset of 1e6 would leave few distinct values otherwise.
        """
        return not np.can_cast(dtype, np.float32, "safe")

    def apply(self, raw: ArrayLike) -> np.ndarray:
        """Raw values (..., *sample_shape) of any type to float32 model values."""
        raw = np.asarray(raw)
        offset, scale = self._arrays()
        if self.must_run_on_host(raw.dtype):
            return ((np.asarray(raw, np.float64) - offset) / scale).astype(np.float32)
        return (np.asarray(raw, np.float32) - np.float32(offset)) * np.float32(1 / scale)

    def apply_on_device(self, raw: jax.Array) -> jax.Array:
        """`apply` inside a compiled program: raw bytes are a quarter of what their float32 values would be to move."""
        offset, scale = self._arrays()
        return (raw.astype(jnp.float32) - jnp.asarray(offset, jnp.float32)) * jnp.asarray(1 / scale, jnp.float32)

    def invert(self, values: np.ndarray) -> np.ndarray:
        """Model values to raw values, in the units of the data.

        float32; float64 where an offset is so large against its scale that float32 would lose the values' resolution.
        """
        offset, scale = self._arrays()
        if self.needs_float64:
            return np.asarray(values, np.float64) * scale + offset
        return np.asarray(values, np.float32) * np.float32(scale) + np.float32(offset)

    def invert_on_device(self, values: jax.Array) -> jax.Array:
        """`invert` inside a compiled program, in the type of `values`."""
        offset, scale = (jnp.asarray(numbers, values.dtype) for numbers in self._arrays())
        return values * scale + offset

    @property
    def needs_float64(self) -> bool:
        """Whether an offset is so large against its scale that float32 loses the resolution of raw values."""
        offset, scale = self._arrays()
        return bool(np.any(np.abs(offset) * np.finfo(np.float32).eps > _RESOLUTION * scale))

    def _numbers(self) -> dict[str, Numbers]:
        return {"offset": self.offset, "scale": self.scale}

    def _arrays(self) -> tuple[np.ndarray, np.ndarray]:
        return np.asarray(self.offset, np.float64), np.asarray(self.scale, np.float64)


def fit_normalisation(train: Samples, scaling: Scaling, value_range: tuple[float, float] | None) -> Normalisation:
    """The normalisation of a training set.

    none: values as they are. unit: `value_range`, or the set's own, to [0, 1]. standard: zero mean and unit standard
    deviation over all values of the training set together. unit-per-feature and standard-per-feature: the same for each
    entry of the last axis (feature or channel) by itself; one that is constant is centred and not scaled.
    """
    if scaling.endswith("-per-feature"):
        return _fit_per_feature(train, scaling)
    if scaling == "standard":
        mean, deviation = _mean_and_deviation(train)
        return normalisation_of(scaling, mean=mean, deviation=deviation)
    if scaling == "unit" and value_range is None:
        low, high = _extremes(train)
        value_range = float(low.min()), float(high.max())
    return normalisation_of(scaling, value_range or (0, 1))


def normalisation_of(
    scaling: Scaling, value_range: tuple[float, float] = (0, 1), *, mean: float = 0.0, deviation: float = 1.0
) -> Normalisation:
    """The normalisation by what is known of a training set."""
    if scaling == "none":
        return Normalisation(0.0, 1.0)
    offset, scale = (value_range[0], value_range[1] - value_range[0]) if scaling == "unit" else (mean, deviation)
    if not scale >= np.finfo(np.float32).tiny:
        raise _nothing_to_scale(f"equal {offset}" if not scale > 0 else f"lie within {scale} of each other")
    return Normalisation(offset, scale)


def _fit_per_feature(train: Samples, scaling: Scaling) -> Normalisation:
    low, high = _extremes(train)
    constant = high - low <= 4 * np.finfo(np.float64).eps * np.maximum(np.abs(low), np.abs(high))
    if constant.all():
        raise _nothing_to_scale(f"equal {low[0]}" if np.all(low == low[0]) else "are constant, feature by feature")
    if scaling == "unit-per-feature":
        offset, scale = low, high - low
    else:
        offset, scale = _moments(train)
    return Normalisation(tuple(np.where(constant, low, offset)), tuple(np.where(constant, 1.0, scale)))


def _nothing_to_scale(how: str) -> InputError:
    return InputError(f'all values of the training set {how}: there is nothing to scale. Set `normalise` to "none"')


def _mean_and_deviation(train: Samples) -> tuple[float, float]:
    """Over all values together; of an array in memory as NumPy sums it, so that its bits stay what they were."""
    if isinstance(train, np.ndarray):
        return float(train.mean(dtype=np.float64)), float(train.std(dtype=np.float64))
    means, deviations = _moments(train)
    mean = means.mean()
    return float(mean), float(np.sqrt(np.mean(deviations**2 + (means - mean) ** 2)))


def _extremes(train: Samples) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest value of each feature, in float64."""
    low, high = np.inf, -np.inf
    for block in _features(train):
        low, high = np.minimum(low, block.min(axis=0)), np.maximum(high, block.max(axis=0))
    return np.asarray(low), np.asarray(high)


def _moments(train: Samples) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each feature; from differences alone, which a large offset does not round off."""
    count = max(1, int(np.prod(train.shape[:-1])))
    first = next(_features(train))[0]
    mean = first + sum((block - first).sum(axis=0) for block in _features(train)) / count
    variance = sum(np.square(block - mean).sum(axis=0) for block in _features(train)) / count
    return np.asarray(mean), np.sqrt(np.asarray(variance))


def _features(train: Samples) -> Iterator[np.ndarray]:
    """Blocks of values (rows, features) in float64."""
    for block in blocks(train):
        yield np.asarray(block, np.float64).reshape(-1, train.shape[-1])
