"""Vectors of known dimension: a fixed smooth map of standard normal draws, to see which models find how many."""

import hashlib

import numpy as np

from .dataset import Dataset
from .normalisation import Scaling, fit_normalisation

FEATURES, HIDDEN = 128, 64
TRAIN_COUNT, TEST_COUNT = 10_000, 2_000
MAP_SEED, DRAW_SEED = 0, 1


def smooth_map(z: np.ndarray) -> np.ndarray:
    """Vectors (count, 128) in (0, 1): `sigmoid(2 W_2 tanh(W_1 z))`, for draws z (count, dimension).

    W_1 (64, dimension) and W_2 (128, 64) are random and fixed, with entries of variance 1 over their inputs. Both have
    full column rank, and both functions are increasing: the map is smooth and one to one, so that its values lie on a
    manifold of exactly `dimension` dimensions. That manifold is curved: principal components need more.
    """
    dimension = z.shape[1]
    rng = np.random.default_rng([MAP_SEED, dimension])
    first = rng.standard_normal((dimension, HIDDEN)) / np.sqrt(dimension)
    second = rng.standard_normal((HIDDEN, FEATURES)) / np.sqrt(HIDDEN)
    return (1 / (1 + np.exp(-2 * np.tanh(z @ first) @ second))).astype(np.float32)


def load_smooth_map(dimension: int, scaling: Scaling = "unit") -> Dataset:
    """10,000 vectors of 128 values to train on, and 2000 to test on."""
    draws = np.random.default_rng([DRAW_SEED, dimension]).standard_normal((TRAIN_COUNT + TEST_COUNT, dimension))
    samples = smooth_map(draws)
    train, test = samples[:TRAIN_COUNT], samples[TRAIN_COUNT:]
    # Of how the samples are made: the last bits of the exponentials are not the same on all processors.
    facts = f"smooth map {dimension} {FEATURES} {HIDDEN} {TRAIN_COUNT} {TEST_COUNT} {MAP_SEED} {DRAW_SEED}"
    return Dataset(
        train,
        {"test": test},
        fit_normalisation(train, scaling, (0, 1)),
        known_fingerprint=hashlib.sha256(facts.encode()).hexdigest(),
        description=f"smooth map of {dimension} normal draws, generated",
    )
