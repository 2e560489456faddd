"""The random split of samples that come without one."""

import numpy as np

from ..errors import InputError

SPLIT_SEED = 0


def hold_out(count: int, test_fraction: float, *, unit: str = "sample") -> tuple[np.ndarray, np.ndarray]:
    """Sorted indices to train and to test on, of `count` samples, by a fixed seed; `unit` is what messages call one."""
    tests = round(count * test_fraction)
    if not 0 < tests < count:
        raise InputError(
            f"--test-fraction {test_fraction} of {count} {unit}s leaves nothing to "
            f"{'test' if tests <= 0 else 'train'} on: choose a fraction that keeps at least one {unit} on each side"
        )
    order = np.random.default_rng(SPLIT_SEED).permutation(count)
    return np.sort(order[tests:]), np.sort(order[:tests])
