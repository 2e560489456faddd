"""The first samples of a training set, wherever they are read from."""

import dataclasses
from typing import Any

import numpy as np

from ..errors import InputError
from .dataset import Dataset, Samples


def keep_first(dataset: Dataset, count: int) -> Dataset:
    """`dataset` with `count` of its training samples and their labels, normalised as it was; test sets stay whole."""
    if not 1 <= count <= len(dataset.train):
        raise InputError(f"--train-count must be at least 1 and at most {len(dataset.train)}; got {count}")
    train = dataset.train
    train = train[:count] if isinstance(train, np.ndarray) else FirstSamples(train, count)
    labels = {name: values[:count] if name == "train" else values for name, values in dataset.labels.items()}
    return dataclasses.replace(dataset, train=train, labels=labels)


class FirstSamples:
    """The first `count` of samples that are read when they are indexed."""

    def __init__(self, samples: Samples, count: int):
        self._samples, self._count = samples, count

    @property
    def shape(self) -> tuple[int, ...]:
        """(count, *sample_shape)."""
        return (self._count, *self._samples.shape[1:])

    @property
    def dtype(self) -> np.dtype:
        """Of the raw values."""
        return self._samples.dtype

    def __len__(self) -> int:
        return self._count

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """All of them, in memory."""
        del copy  # reading makes a new array
        return self[:].astype(dtype or self.dtype, copy=False)

    def __getitem__(self, index: Any) -> np.ndarray:
        """The samples of a slice, or of an array of indices."""
        return self._samples[np.arange(self._count)[index]]
