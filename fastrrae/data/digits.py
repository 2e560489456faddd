"""scikit-learn's handwritten digits: 1797 images of 8 x 8 pixels with values from 0 to 16."""

import numpy as np

from .dataset import Dataset
from .normalisation import Scaling, fit_normalisation

TEST_COUNT = 360
SPLIT_SEED = 0


def load_digits(scaling: Scaling = "unit") -> Dataset:
    """1437 training and 360 test images (8, 8, 1), split once and for all, equal shares of each digit."""
    from sklearn.datasets import load_digits as load_from_sklearn  # a second to import
    from sklearn.model_selection import train_test_split

    values, digits = load_from_sklearn(return_X_y=True)
    images, labels = np.asarray(values, np.float32).reshape(-1, 8, 8, 1), np.asarray(digits)
    train, test = map(
        np.asarray,
        train_test_split(np.arange(len(images)), test_size=TEST_COUNT, random_state=SPLIT_SEED, stratify=labels),
    )
    normalisation = fit_normalisation(images[train], scaling, (0, 16))
    return Dataset(
        images[train],
        {"test": images[test]},
        normalisation,
        {"train": labels[train], "test": labels[test]},
        description="digits of scikit-learn",
    )
