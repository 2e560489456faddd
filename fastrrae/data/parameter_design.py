"""Where to sample a box of parameters: to train on, evenly and with its corners; to test on, at random."""

import numpy as np

Ranges = dict[str, tuple[float, float]]
"""The lowest and the highest value of each parameter, by name."""


def even_design(ranges: Ranges, count: int) -> np.ndarray:
    """Parameters (count, P): the corners of the box, so that it is their convex hull, then the Sobol' sequence.

    Example:
        >>> even_design({"speed": (0.0, 1.0), "width": (0.1, 0.2)}, 64).shape
        (64, 2)
    """
    from scipy.stats import qmc  # a second to import

    corners = np.stack(np.meshgrid(*[[0.0, 1.0]] * len(ranges), indexing="ij"), axis=-1).reshape(-1, len(ranges))
    # The sequence starts at a corner; its first 2^m points are the ones that fill the box evenly.
    sobol = qmc.Sobol(len(ranges), scramble=False).random_base2(int(np.ceil(np.log2(count))))
    inside = sobol[1 : count - len(corners) + 1]
    return _within(ranges, np.concatenate([corners, inside]))


def random_design(ranges: Ranges, count: int, seed: int) -> np.ndarray:
    """Parameters (count, P), uniform over the box."""
    return _within(ranges, np.random.default_rng(seed).uniform(size=(count, len(ranges))))


def _within(ranges: Ranges, unit: np.ndarray) -> np.ndarray:
    low, high = np.array(list(ranges.values())).T
    return low + unit * (high - low)
