"""What is known of a published data set before its samples are read."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import InputError


class UnreadableImage(InputError):
    """One image cannot be used; the message names it."""


@dataclass(frozen=True)
class Collection:
    """All samples of a data set by name, and how to read one.

    `read(split, index)` gives an array of bytes of shape `sample_shape`, may be called from several threads, and raises
    UnreadableImage. `transformation` says in JSON what determines the values, besides the source's own files.
    """

    source: str
    sample_shape: tuple[int, int, int]
    transformation: Mapping[str, Any]
    splits: Mapping[str, Sequence[str]]  # names of samples, by split; "train" and "test" at least
    read: Callable[[str, int], np.ndarray]
    labels: Mapping[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of_arrays(cls, source: str, images: Mapping[str, np.ndarray], labels: Mapping[str, np.ndarray]) -> "Collection":
        """Images (count, height, width, channels) of bytes that are in memory, by split, as they are."""
        names = {split: [f"{split} image {index}" for index in range(len(array))] for split, array in images.items()}
        height, width, channels = images["train"].shape[1:]
        numbers = {split: array.astype(np.int64) for split, array in labels.items()}
        return cls(source, (height, width, channels), {}, names, lambda split, index: images[split][index], numbers)
