"""MNIST from its four IDX files, as records. Training reads the IDX files themselves too; they fit in memory."""

from pathlib import Path

import numpy as np

from ..data.mnist import load_mnist
from .collection import Collection


def list_mnist(source: Path) -> Collection:
    """60,000 training and 10,000 test images (28, 28, 1) and their labels."""
    dataset = load_mnist(str(source))
    images = {"train": dataset.train, **dataset.tests}

    def read(split: str, index: int) -> np.ndarray:
        return images[split][index]

    names = {split: [f"{split} image {index}" for index in range(len(values))] for split, values in images.items()}
    labels = {split: values.astype(np.int64) for split, values in dataset.labels.items()}
    return Collection("mnist", (28, 28, 1), {}, names, read, labels)
