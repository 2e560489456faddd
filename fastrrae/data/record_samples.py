"""Samples in ArrayRecord files, read when they are indexed; those of a small data set are kept in memory then."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, first_line

MOST_KEPT = 2**30  # bytes of a split whose samples are kept; a batch of 64 from CIFAR-10 takes 3 ms to read


@dataclass(frozen=True)
class Shard:
    """One file of records. The names of `skip`, `take` and `examples_in_shard` are array_record's own."""

    filename: str
    take: int
    skip: int = 0

    @property
    def examples_in_shard(self) -> int:
        """Records in the file."""
        return self.take


class KeptSamples:
    """Samples that were read before. Memory is taken as they come in: the system gives pages when they are written."""

    def __init__(self, count: int, size: int):
        self._samples = np.empty((count, size), np.uint8)
        self._is_kept = np.zeros(count, bool)

    def __call__(self, rows: np.ndarray, read: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """The samples of these rows, (rows, size); `read` gives those that are new. Threads may call it together."""
        new = np.unique(rows[~self._is_kept[rows]])
        if len(new):
            self._samples[new] = read(new)
            self._is_kept[new] = True
        return self._samples[rows]


class RecordSamples:
    """Samples (count, *sample_shape) of bytes, read from shards when they are indexed; picklable.

    Of a split of at most `MOST_KEPT` bytes, each is read once by this process. Copies in other processes keep none.
    """

    _kept: KeptSamples | None = None

    def __init__(self, shards: Sequence[Shard], sample_shape: tuple[int, ...]):
        self._source = self.open_shards(shards)
        self._counts = [shard.take for shard in shards]
        self._folder: str | Path = Path(shards[0].filename).parent
        self._sample_shape = sample_shape
        count, size = len(self._source), math.prod(sample_shape)
        if count * size <= MOST_KEPT:
            self._kept = KeptSamples(count, size)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_kept"}

    @staticmethod
    def open_shards(shards: Sequence[Shard]) -> Any:
        """Their reader."""
        from grain.sources import ArrayRecordDataSource  # not on Windows, where only this source does without

        paths: Any = list(shards)  # of array_record's protocol, but for the names of its properties
        return ArrayRecordDataSource(paths)

    @property
    def shape(self) -> tuple[int, ...]:
        """(count, *sample_shape)."""
        return (len(self), *self._sample_shape)

    def shard_numbers(self) -> np.ndarray:
        """The shard of each sample."""
        return np.repeat(np.arange(len(self._counts)), self._counts)

    @property
    def dtype(self) -> np.dtype:
        """Bytes."""
        return np.dtype(np.uint8)

    def __len__(self) -> int:
        return len(self._source)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """All samples, read into memory."""
        del copy  # reading makes a new array
        return self[:].astype(dtype or np.uint8, copy=False)

    def __getitem__(self, index: slice | np.ndarray) -> np.ndarray:
        """The samples of a slice, or of an array of indices."""
        chosen = np.arange(*index.indices(len(self))) if isinstance(index, slice) else np.asarray(index)
        samples = self._read(chosen) if self._kept is None else self._kept(chosen, self._read)
        return samples.reshape(len(chosen), *self._sample_shape)

    def _read(self, indices: np.ndarray) -> np.ndarray:
        """From the shards: (indices, bytes of a sample)."""
        try:
            records = self._read_records(indices) if len(indices) else []
        except InputError:
            raise
        except (RuntimeError, ValueError, OSError) as error:
            raise InputError(
                f"a shard in {self._folder} cannot be read ({first_line(error)}): run `fastrrae prepare` again, which "
                f"verifies every shard and writes damaged ones again"
            ) from None
        size = math.prod(self._sample_shape)
        if any(len(record) != size for record in records):
            raise InputError(
                f"a record in {self._folder} does not have the {size} bytes that its manifest "
                f"announces: run `fastrrae prepare` again into an empty folder"
            )
        return np.frombuffer(b"".join(records), np.uint8).reshape(len(indices), size)

    def _read_records(self, indices: np.ndarray) -> list[bytes]:
        return self._source.__getitems__(indices.tolist())
