"""Samples in the shards of a prepared folder in a bucket, each shard a local file when it is read."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from .record_samples import RecordSamples, Shard
from .staging import StagedShards

ATTEMPTS = 10  # to read a shard: several processes of a host share the room for files


class StagedRecordSamples(RecordSamples):
    """`RecordSamples` whose shards are fetched by `StagedShards` when they are wanted."""

    def __init__(self, staged: StagedShards, counts: Sequence[int], sample_shape: tuple[int, ...], address: str):
        self._staged, self._counts = staged, list(counts)
        self._starts = np.concatenate([[0], np.cumsum(self._counts)])
        self._sample_shape, self._folder = sample_shape, address
        self._sources: dict[int, Any] = {}

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_sources": {}}

    def shard_numbers(self) -> np.ndarray:
        """The shard of each sample."""
        return np.repeat(np.arange(len(self._counts)), self._counts)

    def announce(self, indices: np.ndarray) -> None:
        """Fetch the shards of these samples in the background: they will be read soon."""
        for shard in np.unique(self._shards_of(indices)):
            self._staged.announce(int(shard))

    def _shards_of(self, indices: np.ndarray) -> np.ndarray:
        return np.searchsorted(self._starts, indices, side="right") - 1

    def _read_records(self, indices: np.ndarray) -> list[bytes]:
        shards = self._shards_of(indices)
        records: list[bytes] = [b""] * len(indices)
        for shard in np.unique(shards):
            places = np.flatnonzero(shards == shard)
            own = indices[places] - self._starts[shard]
            for place, record in zip(places, self._read_shard(int(shard), own.tolist()), strict=True):
                records[place] = record
        return records

    def _read_shard(self, shard: int, own: list[int]) -> list[bytes]:
        failure: Exception | None = None
        for _ in range(ATTEMPTS):
            try:
                return self._source_of(shard).__getitems__(own)
            except InputError:
                raise
            except (RuntimeError, ValueError, OSError) as error:
                # Its file has made room for another one, of another process perhaps, before it was opened.
                self._sources.pop(shard, None)
                failure = error
        if failure is not None and self._staged.is_here(shard):
            raise failure
        raise InputError(f"shard {shard} of {self._folder} goes before it is read: `staging_gib` is too small")

    def _source_of(self, shard: int) -> Any:
        """The reader of a shard; those whose files have made room for others are closed."""
        path = self._staged.path(shard)
        for other in [other for other in list(self._sources) if not self._staged.is_here(other)]:
            self._sources.pop(other, None)
        source = self._sources.get(shard)
        if source is None:
            source = self._sources[shard] = self.open_shards([Shard(str(path), self._counts[shard])])
        return source


def staged_split(
    address: str, limit: float | None, folder: Path, manifest: dict[str, Any], split: str
) -> StagedRecordSamples:
    """The samples of one split of a manifest, whose shards are in a bucket.

    Args:
        address: the address of the prepared folder in the bucket.
        limit: bytes of local disk for shards; None for as many as there are.
        folder: for shards; the other files of the prepared folder are there.
        manifest: the manifest of the folder.
        split: its name.
    """
    entries = manifest["splits"][split]["shards"]
    staged = StagedShards(address, folder, [(e["file"], e["bytes"], e["sha256"]) for e in entries], limit)
    return StagedRecordSamples(staged, [e["count"] for e in entries], tuple(manifest["sample_shape"]), address)
