"""Which samples are trained on, validated and tested on, where that is not given."""

from typing import NamedTuple

import numpy as np

from ..errors import InputError
from .samples import Samples, SelectedSamples

SPLIT_SEED = 0


class Split(NamedTuple):
    """Sorted indices of samples."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def split_at_random(
    count: int,
    test_fraction: float,
    validation_fraction: float = 0.0,
    *,
    seed: int = SPLIT_SEED,
    unit: str = "sample",
) -> Split:
    """Split `count` samples by a seed; `unit` is what messages call one.

    The test set does not depend on `validation_fraction`: validation samples are taken from the rest.
    """
    require_fraction("test_fraction", test_fraction)
    require_fraction("validation_fraction", validation_fraction)
    tests, held_back = round(count * test_fraction), round(count * validation_fraction)
    _require_rest("test_fraction", test_fraction, count, tests, unit, "test on")
    if validation_fraction:
        _require_rest("validation_fraction", validation_fraction, count - tests, held_back, unit, "validate on")
    if seed < 0:
        raise InputError(f"`seed` must be at least 0; got {seed}")
    order = np.random.default_rng(seed).permutation(count)
    return Split(*map(np.sort, (order[tests + held_back :], order[tests : tests + held_back], order[:tests])))


def require_fraction(name: str, value: float) -> None:
    """Refuse what is not a share of the whole."""
    if not 0 <= value <= 1:
        raise InputError(f"`{name}` must be from 0 to 1; got {value}")


def _require_rest(name: str, fraction: float, count: int, held_out: int, unit: str, use: str) -> None:
    if not 0 < held_out < count:
        raise InputError(
            f"`{name}` = {fraction} of {count} {unit}s leaves nothing to {use if held_out <= 0 else 'train on'}: "
            f"choose a fraction that keeps at least one {unit} on each side"
        )


def select(samples: Samples, indices: np.ndarray) -> Samples:
    """Some of the samples; a copy of those of an array in memory."""
    in_memory = isinstance(samples, np.ndarray) and not isinstance(samples, np.memmap)
    return samples[indices] if in_memory else SelectedSamples(samples, indices)


def hold_out(count: int, validation_fraction: float, *, seed: int = SPLIT_SEED) -> tuple[np.ndarray, np.ndarray]:
    """Sorted indices of `count` training samples to train and to validate on."""
    require_fraction("validation_fraction", validation_fraction)
    held_out = round(count * validation_fraction)
    _require_rest("validation_fraction", validation_fraction, count, held_out, "sample", "validate on")
    order = np.random.default_rng((seed, 1)).permutation(count)
    return np.sort(order[held_out:]), np.sort(order[:held_out])
