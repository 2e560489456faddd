"""Samples in ArrayRecord files, as `fastrrae prepare` leaves them: read when they are wanted, none held in memory.

A folder holds `manifest.json`, and for each split its shards: one record a sample, its raw bytes in C order.
"""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from .dataset import Dataset, Scaling, normalisation_of

FORMAT = "fastrrae-records-1"
MANIFEST = "manifest.json"
VALUE_RANGE = (0, 255)


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
        from grain.sources import ArrayRecordDataSource  # not on Windows, where only this source does without

        paths: Any = list(shards)  # of array_record's protocol, but for the names of its properties
        self._source: Any = ArrayRecordDataSource(paths)
        self._folder = Path(shards[0].filename).parent
        self._sample_shape = sample_shape

    @property
    def shape(self) -> tuple[int, ...]:
        """(count, *sample_shape)."""
        return (len(self), *self._sample_shape)

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
            records = self._source.__getitems__(chosen.tolist()) if len(chosen) else []
        except (RuntimeError, ValueError, OSError) as error:
            raise InputError(
                f"a shard in {self._folder} cannot be read ({error}): run `fastrrae prepare` "
                f"again, which verifies every shard and writes damaged ones anew"
            ) from None
        size = math.prod(self._sample_shape)
        if any(len(record) != size for record in records):
            raise InputError(
                f"a record in {self._folder} does not have the {size} bytes that its manifest "
                f"announces: run `fastrrae prepare` again into an empty folder"
            )
        return np.frombuffer(b"".join(records), np.uint8).reshape(len(chosen), *self._sample_shape)


def is_prepared(folder: str | None) -> bool:
    """Whether `fastrrae prepare` has finished there."""
    return folder is not None and (Path(folder) / MANIFEST).is_file()


def load_records(folder: str | None, scaling: Scaling = "unit") -> Dataset:
    """The data set in a prepared folder: images (height, width, channels) with values from 0 to 255."""
    if folder is None:
        raise InputError("this recipe needs --data FOLDER, a folder that `fastrrae prepare` has written")
    root = Path(folder)
    if not root.is_dir():
        raise InputError(f"--data must be a folder that `fastrrae prepare` has written; {root} is not a folder")
    manifest = read_manifest(root)
    splits = {name: _open(root, manifest, name) for name in manifest["splits"]}
    labels = {name: np.load(root / file, allow_pickle=False) for name, file in manifest["labels"].items()}
    train = splits.pop("train")
    statistics = manifest["splits"]["train"]
    tests = {name: splits[name] for name in sorted(splits, key=lambda name: name != "test")}
    normalisation = normalisation_of(scaling, VALUE_RANGE, mean=statistics["mean"], deviation=statistics["deviation"])
    return Dataset(train, tests, normalisation, labels, _fingerprint(manifest))


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a prepared folder, checked."""
    path = folder / MANIFEST
    if not path.is_file():
        raise InputError(
            f"{folder} has no {MANIFEST}: it must be a folder that `fastrrae prepare` has finished (see "
            f"`fastrrae prepare --help`)"
        )
    try:
        manifest = json.loads(path.read_text())
        if manifest["format"] != FORMAT:
            raise InputError(f"{path} has the format {manifest['format']!r}; this version reads {FORMAT!r}")
        if not {"train"} < set(manifest["splits"]):
            raise InputError(
                f"{path} must name a split `train` and another to test on; it has {sorted(manifest['splits'])}"
            )
        for split in manifest["splits"].values():
            if split["count"] != sum(shard["count"] for shard in split["shards"]):
                raise InputError(f"{path} does not add up: a split's count is not that of its shards. Prepare it again")
        return manifest
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{path} is not a manifest of `fastrrae prepare` ({error!r}): prepare the data again"
        ) from None


def _open(root: Path, manifest: dict[str, Any], split: str) -> RecordSamples:
    shards = []
    for entry in manifest["splits"][split]["shards"]:
        path = root / entry["file"]
        size = path.stat().st_size if path.is_file() else None
        if size != entry["bytes"]:
            found = "is missing" if size is None else f"has {size} bytes instead of {entry['bytes']}"
            raise InputError(f"{path} {found}: run `fastrrae prepare` again, which writes damaged shards anew")
        shards.append(Shard(str(path), entry["count"]))
    return RecordSamples(shards, tuple(manifest["sample_shape"]))


def _fingerprint(manifest: dict[str, Any]) -> str:
    digests = [shard["sha256"] for split in manifest["splits"].values() for shard in split["shards"]]
    return hashlib.sha256("".join(digests).encode()).hexdigest()
