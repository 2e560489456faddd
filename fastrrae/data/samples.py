"""What the pipeline reads from: the `Samples` protocol, and the kinds of it that are not plain NumPy arrays."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from ..errors import InputError
from ..grammars.codec import one_hot

BLOCK_BYTES = 32 * 2**20


@runtime_checkable
class Samples(Protocol):
    """Raw samples, (count, *sample_shape), that are read when they are indexed.

    A NumPy array is one. To train on anything else, write a class with these five members, picklable if it is read by
    worker processes (`data.workers`), and give it to `Dataset.from_arrays`. The same index must always give the same
    values: the order of samples, and resuming to the same bits, rest on it.

    ```python
    class Snapshots:                                     # one file per sample
        def __init__(self, paths):
            self.paths, first = paths, np.load(paths[0])
            self.shape, self.dtype = (len(paths), *first.shape), first.dtype

        def __len__(self):
            return len(self.paths)

        def __getitem__(self, index):
            return np.stack([np.load(self.paths[i]) for i in np.arange(len(self))[index]])

        def __array__(self, dtype=None, copy=None):
            return self[:].astype(dtype or self.dtype)
    ```
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """(count, *sample_shape)."""
        ...

    @property
    def dtype(self) -> np.dtype:
        """Of the raw values."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: Any, /) -> np.ndarray:
        """The samples of a slice, or of an array of indices, with the axis of samples in front."""
        ...

    def __array__(self) -> np.ndarray:
        """All of them, in memory."""
        ...


def blocks(samples: Samples) -> Iterator[np.ndarray]:
    """All samples in order, about 32 MiB at a time."""
    size = max(1, BLOCK_BYTES // max(1, bytes_of(samples) // max(1, len(samples))))
    for start in range(0, len(samples), size):
        yield samples[start : start + size]


def bytes_of(samples: Samples) -> int:
    """What all of them take in memory."""
    return int(np.prod(samples.shape, dtype=np.float64)) * samples.dtype.itemsize


class _ReadWhenIndexed:
    """The members of `Samples` that follow from `shape`, `dtype` and `_read(indices)`."""

    shape: tuple[int, ...]
    dtype: np.dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """All of them, in memory."""
        del copy  # reading makes a new array
        return self[:].astype(dtype or self.dtype, copy=False)

    def __getitem__(self, index: Any) -> np.ndarray:
        """The samples of a slice, or of an array of indices."""
        return self._read(np.arange(len(self))[index])

    def _read(self, indices: np.ndarray) -> np.ndarray:
        raise NotImplementedError


class SelectedSamples(_ReadWhenIndexed):
    """Some of the samples of another `Samples`, by their indices."""

    def __init__(self, samples: Samples, indices: np.ndarray):
        self._samples, self._indices = samples, np.asarray(indices)
        self.shape, self.dtype = (len(self._indices), *samples.shape[1:]), samples.dtype

    def _read(self, indices: np.ndarray) -> np.ndarray:
        return self._samples[self._indices[indices]]

    def shard_numbers(self) -> np.ndarray | None:
        """The shard of each sample; None where the samples do not lie in shards."""
        numbers = getattr(self._samples, "shard_numbers", None)
        return None if numbers is None else numbers()[self._indices]

    def announce(self, indices: np.ndarray) -> None:
        """Say that these samples will be read soon, to whom it concerns."""
        if hasattr(self._samples, "announce"):
            self._samples.announce(self._indices[indices])  # pyright: ignore[reportAttributeAccessIssue]


class OneHotSequences(_ReadWhenIndexed):
    """Sequences of choices (count, length), which become one-hot (length, choices) when they are read."""

    def __init__(self, indices: np.ndarray, choices: int):
        self._indices, self._choices = indices, choices
        self.shape, self.dtype = (*indices.shape, choices), np.dtype(np.uint8)

    def _read(self, indices: np.ndarray) -> np.ndarray:
        return one_hot(self._indices[indices], self._choices)


class MappedSamples(_ReadWhenIndexed):
    """A .npy file that stays on disk, memory-mapped; worker processes open it by its path."""

    def __init__(self, path: Path):
        self._path, self._mapped = path, np.load(path, mmap_mode="r", allow_pickle=False)
        self.shape, self.dtype = self._mapped.shape, self._mapped.dtype.newbyteorder("=")

    def reshaped(self, sample_shape: tuple[int, ...]) -> "MappedSamples":
        """The same file, its samples in another shape."""
        other = MappedSamples(self._path)
        other.shape = (len(self), *sample_shape)
        return other

    def _read(self, indices: np.ndarray) -> np.ndarray:
        rows = self._mapped[indices].reshape(len(indices), *self.shape[1:])
        return np.asarray(rows, self.dtype)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_mapped": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._mapped = np.load(self._path, mmap_mode="r", allow_pickle=False)


class GrainSamples(_ReadWhenIndexed):
    """The elements of a grain `MapDataset`, each one sample of numbers; what has labels in it is mapped to its images.

    Args:
        dataset: a data set whose elements have one shape and type; its length is the number of samples (not repeated).
    """

    def __init__(self, dataset: Any):
        self._dataset = dataset
        first = np.asarray(dataset[0]) if len(dataset) else np.zeros(0)
        if first.dtype == object or first.ndim == 0:
            raise InputError(
                f"`x` must be a MapDataset whose elements are arrays; got {type(dataset[0]).__name__}. Take the array "
                f"from each element, as in `dataset.map(lambda element: element['image'])`"
            )
        self.shape, self.dtype = (len(dataset), *first.shape), first.dtype

    def _read(self, indices: np.ndarray) -> np.ndarray:
        rows = [np.asarray(self._dataset[int(index)]) for index in indices]
        if any(row.shape != self.shape[1:] for row in rows):
            raise InputError(f"`x` must have elements of one shape, {self.shape[1:]}, that of the first")
        return np.stack(rows).astype(self.dtype, copy=False) if rows else np.zeros((0, *self.shape[1:]), self.dtype)
