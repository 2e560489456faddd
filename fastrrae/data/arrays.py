"""Checks of a user's own arrays, and the forms in which a data set keeps them."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from ..errors import InputError
from .normalisation import Normalisation
from .samples import GrainSamples, MappedSamples, Samples, blocks

Layout = Literal["auto", "vector", "signal", "image"]
_AXES = {"vector": 1, "signal": 2, "image": 3}
_LARGEST = float(np.finfo(np.float32).max)
_CHANNELS = (1, 3, 4)


def to_samples(x: Any, layout: Layout, name: str) -> Samples:
    """Samples of a supported kind and type, with the channel axis that `layout` asks for.

    Raises:
        InputError: `x`, called `name`, is not real numbers, or they are not finite, beyond float32, or of a shape that
            does not fit; there are no samples or no features.
    """
    samples = _readable(x)
    if samples.dtype == np.bool_ or not np.issubdtype(samples.dtype, np.number) or samples.dtype.kind == "c":
        raise InputError(f"`{name}` must hold real numbers; got {samples.dtype}")
    if len(samples.shape) < 2:
        raise InputError(
            f"`{name}` must have samples along its first axis and values along the others; got the shape "
            f"{tuple(samples.shape)}"
        )
    if 0 in samples.shape:
        missing = "no samples" if samples.shape[0] == 0 else "samples without values"
        raise InputError(f"`{name}` must have samples with at least one value each; it has {missing}: {samples.shape}")
    samples = _with_layout(samples, layout, name)
    _require_finite(samples, name)
    return _in_native_type(samples)


def _readable(x: Any) -> Samples:
    """An array, or `Samples` as they are."""
    if isinstance(x, np.ndarray):
        return x
    if type(x).__module__.startswith("grain"):  # asked by name: to import grain takes a second
        return GrainSamples(x)
    if isinstance(x, Samples) and not hasattr(x, "__array_priority__"):  # arrays of JAX, PyTorch and pandas have it
        return x
    try:
        return np.asarray(x)
    except ValueError as error:
        raise InputError(f"samples must form one array: {error}") from None


def _with_layout(samples: Samples, layout: Layout, name: str) -> Samples:
    shape = tuple(samples.shape[1:])
    axes = _AXES.get(layout, len(shape))
    wanted = (*shape, 1) if axes == len(shape) + 1 > 1 else shape
    if axes != len(wanted) or axes > 3:
        raise InputError(
            f"samples of `{name}` have the shape {shape}, which does not fit `layout` = {layout}: a vector is (D,), a "
            f"signal (T,) or (T, C), an image (H, W) or (H, W, C)"
        )
    if layout == "auto" and len(shape) == 3 and shape[0] in _CHANNELS and min(shape[1:]) > max(_CHANNELS):
        raise InputError(
            f"samples of `{name}` have the shape {shape}, which looks channel-first (C, H, W); images must be "
            f"(H, W, C): use np.moveaxis({name}, 1, -1). If they are (H, W, C) as they are, set `layout` to image"
        )
    if wanted == shape:
        return samples
    if isinstance(samples, np.ndarray):
        return samples.reshape(len(samples), *wanted)
    if isinstance(samples, MappedSamples):
        return samples.reshaped(wanted)
    raise InputError(f"`{name}` must give samples of the shape {wanted}, that of `layout` = {layout}; got {shape}")


def _require_finite(samples: Samples, name: str) -> None:
    """Raise if a value is NaN, infinite, or too large for float32. Integers of up to 64 bits are neither."""
    if samples.dtype.kind != "f":
        return
    bad = []
    start = 0
    for block in blocks(samples):
        rows = block.reshape(len(block), -1)
        bad.append(start + np.flatnonzero(~np.isfinite(rows).all(axis=1)))
        start += len(block)
        if not len(bad[-1]) and rows.dtype.itemsize > 4 and float(np.abs(rows).max()) > _LARGEST:
            raise InputError(
                f"`{name}` has values beyond {_LARGEST:.1e}, the largest of float32, in which models compute: divide "
                f"them by a constant"
            )
    found = np.concatenate(bad)
    if len(found):
        raise InputError(
            f"`{name}` has NaN or infinity in {len(found)} of {len(samples)} samples, first in sample {found[0]}"
        )


def _in_native_type(samples: Samples) -> Samples:
    """This machine's byte order; at most 64 bits a value."""
    if not isinstance(samples, np.ndarray) or (samples.dtype.isnative and samples.dtype.itemsize <= 8):
        return samples
    dtype = np.dtype(np.float64) if samples.dtype.itemsize > 8 else samples.dtype.newbyteorder("=")
    return np.asarray(samples, dtype)


def encode_labels(
    labels: ArrayLike | None, test_labels: ArrayLike | None, names: Sequence[str]
) -> tuple[np.ndarray | None, np.ndarray | None, tuple[str, ...]]:
    """Labels as integers, and the names of the classes: the sorted strings, or `names` of integer labels."""
    given = [None if values is None else _labels(values) for values in (labels, test_labels)]
    known = [values for values in given if values is not None]
    if any(values.dtype.kind == "U" for values in known):
        names = np.unique(np.concatenate([values.astype(str) for values in known])).tolist()
        encoded = [None if values is None else np.searchsorted(names, values.astype(str)) for values in given]
        return encoded[0], encoded[1], tuple(names)
    for values in known:
        if names and not (values.min() >= 0 and values.max() < len(names)):
            raise InputError(f"`labels` must be from 0 to {len(names) - 1}, for {len(names)} `label_names`")
    return given[0], given[1], tuple(names)


def _labels(values: ArrayLike) -> np.ndarray:
    """(count,) int64 or strings."""
    labels = np.asarray(values)
    if labels.ndim != 1 or labels.dtype.kind not in "iubUSO" or not len(labels):
        raise InputError(
            f"`labels` must be one integer or string for each sample; got {labels.dtype} of the shape {labels.shape}"
        )
    return labels.astype(np.int64) if labels.dtype.kind in "iub" else _texts(labels)


def require_one_each(name: str, values: np.ndarray | None, count: int) -> None:
    """Raise if there are not as many `values` as samples."""
    if values is not None and len(values) != count:
        raise InputError(f"`{name}` must have one entry for each of {count} samples; got {len(values)}")


def _texts(values: np.ndarray) -> np.ndarray:
    return np.array([value.decode() if isinstance(value, bytes) else str(value) for value in values])


def parameter_array(parameters: ArrayLike | None, count: int, prefix: str = "") -> np.ndarray | None:
    """Parameters as (count, P) float64."""
    if parameters is None:
        return None
    values = np.asarray(parameters)
    if values.dtype.kind not in "iuf" or values.ndim not in (1, 2) or len(values) != count:
        raise InputError(
            f"`{prefix}parameters` must be numbers, one row for each of {count} samples; got {values.dtype} of the "
            f"shape {values.shape}"
        )
    return np.asarray(values, np.float64).reshape(count, -1)


def refuse_zeros(test: Samples, normalisation: Normalisation) -> None:
    """Refuse a test set that a model sees as nothing but zeros: an error relative to its norm is not defined."""
    if np.any(np.asarray(normalisation.offset)) or any(np.any(block) for block in blocks(test)):
        return
    raise InputError(
        "all values of the test set are 0, so that an error relative to its norm is not defined: give other test "
        'samples, or set `normalise` to "standard"'
    )
