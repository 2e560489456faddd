"""Shards of records, written whole or not at all, each with a note of what it holds until the manifest has it."""

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..atomic_files import write_json
from ..checksums import file_digest
from ..data.text_files import read_text
from ..errors import InputError, first_line
from .collection import Collection, UnreadableImage

SHARD_BYTES = 64 * 2**20
_CHUNK = 256  # images that are decoded ahead of those being written


@dataclass(frozen=True)
class ShardPlan:
    """A range of a split's samples, and the file that they go to."""

    split: str
    start: int
    stop: int
    file: str


@dataclass(frozen=True)
class ShardFacts:
    """What a written shard holds."""

    file: str
    count: int
    bytes: int
    sha256: str
    total: int  # sum of all values, and of their squares: exact integers, for mean and deviation
    total_of_squares: int
    skipped: tuple[int, ...]  # indices in the split of images that could not be read

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "ShardFacts":
        """What `asdict` gave, after JSON."""
        return cls(**{**values, "skipped": tuple(values["skipped"])})

    def fit(self, out: Path) -> bool:
        """Whether the file is there, and of the size that it should have."""
        path = out / self.file
        return path.is_file() and path.stat().st_size == self.bytes


def plan_shards(collection: Collection) -> list[ShardPlan]:
    """All shards of a data set, in order."""
    size = max(1, SHARD_BYTES // int(np.prod(collection.sample_shape)))
    plans = []
    for split, names in collection.splits.items():
        count = -(-len(names) // size)
        for number in range(count):
            start, stop = number * len(names) // count, (number + 1) * len(names) // count
            plans.append(ShardPlan(split, start, stop, f"{split}-{number:05d}-of-{count:05d}.arrayrecord"))
    return plans


def write_shard(
    collection: Collection,
    plan: ShardPlan,
    out: Path,
    pool: Executor,
    *,
    skip_corrupt: bool,
    advance: Callable[[int], None],
) -> ShardFacts:
    """Write one shard and its note; `advance` is told of the images that are done, as they are.

    Raises:
        UnreadableImage: an image cannot be read, and is not to be skipped. Nothing of the shard is left.
    """
    partial = out / f"{plan.file}.partial"
    tally = _Tally()
    try:
        with _open_writer(partial) as writer:
            for results in _read_ahead(collection, plan, pool):
                for index, result in results:
                    if not isinstance(result, UnreadableImage):
                        writer.write(result.tobytes())
                        tally.add(result)
                    elif skip_corrupt:
                        tally.skipped.append(index)
                    else:
                        raise result
                advance(len(results))
        _require_records(partial, tally.count)
        facts = ShardFacts(
            plan.file,
            tally.count,
            partial.stat().st_size,
            file_digest(partial),
            tally.total,
            tally.squares,
            tuple(tally.skipped),
        )
    except BaseException as error:
        partial.unlink(missing_ok=True)
        if isinstance(error, RuntimeError):  # what array_record makes of a full disk
            raise _not_written(partial, first_line(error)) from None
        raise
    partial.replace(out / plan.file)
    write_json(note_path(out, plan.file), asdict(facts))
    return facts


class _Tally:
    """What has been written so far, and sums of its values: exact, since they are integers."""

    def __init__(self) -> None:
        self.count = self.total = self.squares = 0
        self.skipped: list[int] = []

    def add(self, sample: np.ndarray) -> None:
        """Count one sample of bytes."""
        wide = sample.astype(np.uint32)
        self.count += 1
        self.total += int(wide.sum(dtype=np.uint64))
        self.squares += int(np.square(wide, out=wide).sum(dtype=np.uint64))


@contextmanager
def _open_writer(path: Path) -> Iterator[Any]:
    """A writer of records; closed in any case, and whatever went wrong first is what is raised."""
    from array_record.python.array_record_module import ArrayRecordWriter

    # Uncompressed, one record a group: any sample is found by one seek, and images of bytes hardly compress.
    writer = ArrayRecordWriter(str(path), "group_size:1,uncompressed")
    try:
        yield writer
    except BaseException:
        with suppress(RuntimeError):
            writer.close()
        raise
    writer.close()


def _read_ahead(
    collection: Collection, plan: ShardPlan, pool: Executor
) -> Iterator[list[tuple[int, np.ndarray | UnreadableImage]]]:
    """Images in order, in chunks, of which the next is decoded while one is being written."""

    def read(index: int) -> tuple[int, np.ndarray | UnreadableImage]:
        try:
            return index, collection.read(plan.split, index)
        except UnreadableImage as error:
            return index, error

    starts = range(plan.start, plan.stop, _CHUNK)
    ahead = None
    for start in starts:
        chunk = pool.map(read, range(start, min(start + _CHUNK, plan.stop)), chunksize=1)
        if ahead is not None:
            yield list(ahead)
        ahead = chunk
    if ahead is not None:
        yield list(ahead)


def _require_records(path: Path, count: int) -> None:
    """The writer does not report every failure of a disk: what cannot be read back has not been written."""
    from array_record.python.array_record_module import ArrayRecordReader

    try:
        reader = ArrayRecordReader(str(path))
        written = reader.num_records()
        reader.close()
    except (RuntimeError, ValueError, OSError) as error:
        raise _not_written(path, first_line(error)) from None
    if written != count:
        raise _not_written(path, f"it holds {written} of {count} records")


def _not_written(path: Path, reason: str) -> InputError:
    return InputError(
        f"{path} could not be written ({reason}): is the disk full? Complete files are kept; free space and run again"
    )


def note_path(out: Path, file: str) -> Path:
    """Where the facts of a finished shard are until the manifest holds them."""
    return out / f"{file}.json"


def read_note(out: Path, file: str) -> ShardFacts | None:
    """The facts of a shard that was finished."""
    try:
        return ShardFacts.from_json(json.loads(read_text(note_path(out, file))))
    except (OSError, ValueError, TypeError, KeyError):
        return None
