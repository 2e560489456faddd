"""Shifted gaussians: bumps of fixed width and height at different places, the synthetic set of both papers."""

import hashlib

import numpy as np

from .dataset import Dataset
from .normalisation import Scaling, fit_normalisation

SIDE = 64
WIDTH = 0.2
REACH = 0.5
TEST_COUNT = 10_000
TEST_SEED = 1
# Of how the samples are made: the last bits of the exponentials are not the same on all processors.
FINGERPRINT = hashlib.sha256(f"shifted gaussians {SIDE} {WIDTH} {REACH} {TEST_COUNT} {TEST_SEED}".encode()).hexdigest()


def bumps(centres: np.ndarray, side: int = SIDE) -> np.ndarray:
    """Images (count, side, side, 1) of `exp(-|p - c|^2 / (2 WIDTH^2))` on [-1, 1]^2, for centres c = (x, y)."""
    along_x, along_y = (profiles(c, side) for c in centres.T)
    return (along_y[:, :, None] * along_x[:, None, :]).astype(np.float32)[..., None]


def profiles(centres: np.ndarray, side: int = SIDE) -> np.ndarray:
    """Bumps along one axis, (count, side), of which a bump in the plane is a product."""
    return np.exp(-((np.linspace(-1, 1, side) - centres[:, None]) ** 2) / (2 * WIDTH**2))


def load_gaussians(scaling: Scaling = "standard") -> Dataset:
    """The authors' sets, values in [0, 1].

    Train: the 10 x 10 mesh of centres over [-0.5, 0.5]^2. Tests: 10000 centres, uniform over that square ("uniform"),
    and on its diagonal x = y ("diagonal", which the authors' script draws).
    """
    rng = np.random.default_rng(TEST_SEED)
    mesh = np.stack(np.meshgrid(*[np.linspace(-REACH, REACH, 10)] * 2), axis=-1).reshape(-1, 2)
    uniform = rng.uniform(-REACH, REACH, (TEST_COUNT, 2))
    diagonal = np.repeat(rng.uniform(-REACH, REACH, (TEST_COUNT, 1)), 2, axis=1)
    train = bumps(mesh)
    tests = {"uniform": bumps(uniform), "diagonal": bumps(diagonal)}
    return Dataset(
        train,
        tests,
        fit_normalisation(train, scaling, (0, 1)),
        known_fingerprint=FINGERPRINT,
        description="shifted gaussians, generated",
    )
