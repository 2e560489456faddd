"""Circles and squares of any colour on black, 32 x 32 pixels: the synthetic set of the IRMAE paper."""

import hashlib

import numpy as np

from .dataset import Dataset
from .normalisation import Scaling, fit_normalisation

SIDE = 32
KINDS = ("circle", "square")
SIZES, CENTRES = (3, 8), (8, 24)  # least and greatest, both included
TRAIN_COUNT, TEST_COUNT = 50_000, 10_000
DRAW_SEED = 0
_AT_ONCE = 5000  # images: 5000 x 32 x 32 distances take 40 MB


def draw_shapes(kinds: np.ndarray, sizes: np.ndarray, centres: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Images (count, 32, 32, 3), uint8, of one shape each.

    Args:
        kinds: (count,), 0 for a circle and 1 for a square.
        sizes: (count,), the radius of the circle, or half of the square's side, in pixels.
        centres: (count, 2), x and y in pixels.
        colours: (count, 3), red, green and blue, uint8.
    """
    distances = np.abs(np.arange(SIDE) - centres[:, :, None])  # (count, 2, SIDE), along x and along y
    along_x, along_y = distances[:, 0, None, :], distances[:, 1, :, None]
    sizes, kinds = sizes[:, None, None], kinds[:, None, None]
    inside = np.where(kinds == 0, along_x**2 + along_y**2 <= sizes**2, np.maximum(along_x, along_y) <= sizes)
    return inside[..., None].astype(np.uint8) * colours[:, None, None, :].astype(np.uint8)


def load_coloured_shapes(scaling: Scaling = "unit") -> Dataset:
    """50,000 images (32, 32, 3) to train on, and 10,000 to test on; labels say which are squares.

    Sizes from 3 to 8 and coordinates of the centre from 8 to 24, all integers, and colours are uniform (Jing et al.
    2020, supplement). Six numbers make an image: with the kind, the data has seven dimensions. The paper draws new
    images in every epoch; here they are drawn once.
    """
    rng, count = np.random.default_rng(DRAW_SEED), TRAIN_COUNT + TEST_COUNT
    kinds = rng.integers(len(KINDS), size=count)
    sizes = rng.integers(SIZES[0], SIZES[1] + 1, size=count)
    centres = rng.integers(CENTRES[0], CENTRES[1] + 1, size=(count, 2))
    colours = rng.integers(256, size=(count, 3))
    images = np.concatenate(
        [
            draw_shapes(*(x[start : start + _AT_ONCE] for x in (kinds, sizes, centres, colours)))
            for start in range(0, count, _AT_ONCE)
        ]
    )
    train, test = images[:TRAIN_COUNT], images[TRAIN_COUNT:]
    facts = f"coloured shapes {SIDE} {SIZES} {CENTRES} {TRAIN_COUNT} {TEST_COUNT} {DRAW_SEED}"
    return Dataset(
        train,
        {"test": test},
        fit_normalisation(train, scaling, (0, 255)),
        {"train": kinds[:TRAIN_COUNT], "test": kinds[TRAIN_COUNT:]},
        known_fingerprint=hashlib.sha256(facts.encode()).hexdigest(),
        label_names=KINDS,
        description="coloured shapes, generated",
    )
