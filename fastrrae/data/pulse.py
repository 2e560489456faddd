"""An advected pulse: a Gaussian that has moved at one of many speeds, for surrogates of two parameters."""

import hashlib

import numpy as np

from .dataset import Dataset
from .normalisation import Scaling, fit_normalisation
from .parameter_design import Ranges, even_design, random_design

POINTS = 128
START = 0.2
RANGES: Ranges = {"speed": (0.0, 0.6), "width": (0.02, 0.06)}
TRAIN_COUNT, TEST_COUNT, TEST_SEED = 200, 500, 1
# Of how the samples are made: the last bits of the exponentials are not the same on all processors.
FINGERPRINT = hashlib.sha256(f"pulse {POINTS} {START} {RANGES} {TRAIN_COUNT} {TEST_COUNT} {TEST_SEED}".encode())


def pulses(parameters: np.ndarray, points: int = POINTS) -> np.ndarray:
    """Signals (count, points, 1) at time 1: `exp(-(x - START - speed)^2 / (2 width^2))` on [0, 1].

    They solve du/dt + speed du/dx = 0 from a pulse around `START`, for parameters (count, 2): speed and width.
    """
    speed, width = (column[:, None] for column in parameters.T)
    x = np.linspace(0, 1, points)
    return np.exp(-((x - START - speed) ** 2) / (2 * width**2)).astype(np.float32)[..., None]


def load_pulse(scaling: Scaling = "standard") -> Dataset:
    """200 pulses to train on, evenly spread over the box of parameters, and 500 at random in it to test on."""
    parameters = {
        "train": even_design(RANGES, TRAIN_COUNT),
        "test": random_design(RANGES, TEST_COUNT, TEST_SEED),
    }
    train = pulses(parameters["train"])
    return Dataset(
        train,
        {"test": pulses(parameters["test"])},
        fit_normalisation(train, scaling, (0, 1)),
        known_fingerprint=FINGERPRINT.hexdigest(),
        parameters=parameters,
        parameter_names=tuple(RANGES),
        description="advected pulses, generated",
    )
