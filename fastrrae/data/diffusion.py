"""Diffusion from a point in a closed square, for surrogates of three parameters: where it started, and how long ago."""

import hashlib

import numpy as np

from .dataset import Dataset
from .normalisation import Scaling, fit_normalisation
from .parameter_design import Ranges, even_design, random_design

SIDE = 32
RANGES: Ranges = {"x": (0.2, 0.8), "y": (0.2, 0.8), "time": (0.004, 0.012)}
TERMS = 40  # of the series; the first one that is left out is below 1e-25 at the earliest time
TRAIN_COUNT, TEST_COUNT, TEST_SEED = 500, 500, 1
# Of how the samples are made: the last bits of the exponentials are not the same on all processors.
FINGERPRINT = hashlib.sha256(f"diffusion {SIDE} {RANGES} {TERMS} {TRAIN_COUNT} {TEST_COUNT} {TEST_SEED}".encode())


def concentrations(parameters: np.ndarray, side: int = SIDE) -> np.ndarray:
    """Concentrations (count, side, side, 1), rows along y, at the centres of cells of the unit square.

    A unit amount is released at (x, y); after `time`, with diffusivity 1 and walls that nothing passes, its
    concentration is the product of the solutions along both axes. Parameters are (count, 3): x, y, time.
    """
    x, y, time = parameters.T
    along_x, along_y = (_along_an_axis(start, time, side) for start in (x, y))
    return (along_y[:, :, None] * along_x[:, None, :]).astype(np.float32)[..., None]


def _along_an_axis(start: np.ndarray, time: np.ndarray, side: int) -> np.ndarray:
    """(count, side): `1 + 2 sum_n cos(n pi start) cos(n pi x) exp(-n^2 pi^2 time)`, the heat kernel on [0, 1]."""
    waves = np.pi * np.arange(1, TERMS + 1)
    points = (np.arange(side) + 0.5) / side
    amplitudes = 2 * np.cos(np.outer(start, waves)) * np.exp(-np.outer(time, waves**2))
    return 1 + amplitudes @ np.cos(np.outer(waves, points))


def load_diffusion(scaling: Scaling = "standard") -> Dataset:
    """500 concentrations to train on, evenly spread over the box of parameters, and 500 at random in it to test on."""
    parameters = {
        "train": even_design(RANGES, TRAIN_COUNT),
        "test": random_design(RANGES, TEST_COUNT, TEST_SEED),
    }
    train = concentrations(parameters["train"])
    return Dataset(
        train,
        {"test": concentrations(parameters["test"])},
        fit_normalisation(train, scaling, None),
        known_fingerprint=FINGERPRINT.hexdigest(),
        parameters=parameters,
        parameter_names=tuple(RANGES),
        description="diffusion in a square, generated",
    )
