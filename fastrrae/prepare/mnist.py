"""MNIST from its four IDX files, as records. Training reads the IDX files themselves too; they fit in memory."""

from pathlib import Path

import numpy as np

from ..data.mnist import load_mnist
from .collection import Collection


def list_mnist(source: Path) -> Collection:
    """60,000 training and 10,000 test images (28, 28, 1) and their labels."""
    dataset = load_mnist(str(source))
    images = {split: np.asarray(samples) for split, samples in {"train": dataset.train, **dataset.tests}.items()}
    return Collection.of_arrays("mnist", images, dataset.labels)
