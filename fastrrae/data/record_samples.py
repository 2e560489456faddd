"""Samples in ArrayRecord files, read when they are indexed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, first_line


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


class RecordSamples:
    """Samples (count, *sample_shape) of bytes, read from shards when they are indexed; picklable."""

    def __init__(self, shards: Sequence[Shard], sample_shape: tuple[int, ...]):
        self._source = self.open_shards(shards)
        self._counts = [shard.take for shard in shards]
        self._folder: str | Path = Path(shards[0].filename).parent
        self._sample_shape = sample_shape

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
        try:
            records = self._read_records(chosen) if len(chosen) else []
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
        return np.frombuffer(b"".join(records), np.uint8).reshape(len(chosen), *self._sample_shape)

    def _read_records(self, indices: np.ndarray) -> list[bytes]:
        return self._source.__getitems__(indices.tolist())
