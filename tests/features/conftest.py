import numpy as np
import pytest

from fastrrae import Dataset
from fastrrae.data import Normalisation


@pytest.fixture(scope="session")
def stripes():
    """Images of two classes, horizontal and vertical stripes of random phase, with noise."""
    rng = np.random.default_rng(0)

    def draw(count):
        labels = rng.integers(0, 2, count)
        waves = np.sin(2 * np.pi * (np.arange(12) / 4 + rng.uniform(0, 1, (count, 1))))
        images = np.where(labels[:, None, None] == 1, waves[:, :, None], waves[:, None, :])
        return (images + 0.3 * rng.standard_normal((count, 12, 12))).astype(np.float32)[..., None], labels

    (train, train_labels), (test, test_labels) = draw(400), draw(100)
    labels = {"train": train_labels, "test": test_labels}
    return Dataset(train, {"test": test}, Normalisation(0.0, 1.0), labels)
