"""Write a data set as shards and a manifest; what is already there and whole is not written again."""

import math
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ..atomic_files import write_array, write_json
from ..checksums import file_digest
from ..data.manifest import MANIFEST, VALUE_RANGE, read_manifest, write_manifest
from ..errors import InputError
from .collection import Collection
from .destination import Destination, destination
from .output_folder import claim_folder, identity_of, remove_leftovers
from .shards import ShardFacts, ShardPlan, plan_shards, read_note, write_shard


class Prepared(NamedTuple):
    """What `prepare` did."""

    manifest: dict[str, Any]
    written: int  # shards
    kept: int  # shards that were there, whole
    skipped: list[str]  # names of images that could not be read
    notes: list[str]  # what happened to files of an earlier call


def prepare(
    collection: Collection, out: str | Path, *, skip_corrupt: bool = False, workers: int | None = None
) -> Prepared:
    """Write `collection` into the folder `out`, which may be in a bucket.

    Shards appear under their names when they are complete, the manifest when all of them are: an interrupted call is
    continued by the same call again, and a finished one is verified by its checksums, and damaged shards are written
    again. Where images have come or gone since an interrupted call, its shards are discarded.

    Args:
        collection: what to write.
        out: a folder, or its address gs://BUCKET/NAME or s3://BUCKET/NAME, that is new, empty, or of an earlier call
            with the same collection.
        skip_corrupt: leave out images that cannot be read (their names are in the manifest), instead of stopping.
        workers: threads that read and decode; as many as there are cores by default.

    Raises:
        UnreadableImage: an image cannot be read, and is not to be skipped.
        InputError: `out` holds something else, cannot be written, or another call is writing to it.
    """
    plans = plan_shards(collection)
    with destination(out) as to:
        return _prepare(collection, plans, to, skip_corrupt=skip_corrupt, workers=workers)


def _prepare(
    collection: Collection, plans: list[ShardPlan], to: Destination, *, skip_corrupt: bool, workers: int | None
) -> Prepared:
    out = to.folder
    try:
        notes = claim_folder(out, collection)
        to.claimed()
        found = _finished_shards(to, plans)
        facts = dict(found)
        with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool, _progress(collection) as advance:
            for plan in plans:
                if plan.file in found:
                    advance(plan.stop - plan.start)
                else:
                    facts[plan.file] = write_shard(
                        collection, plan, out, pool, skip_corrupt=skip_corrupt, advance=advance
                    )
                    to.take(facts[plan.file])
            to.wait()
        manifest, skipped = _finish(collection, plans, facts, out)
        to.complete()
    except OSError as error:
        raise InputError(
            f"cannot write to {out}: {error.strerror or error}. Complete files are kept; remove the cause and run again"
        ) from None
    return Prepared(manifest, len(plans) - len(found), len(found), skipped, notes)


def _finished_shards(to: Destination, plans: list[ShardPlan]) -> dict[str, ShardFacts]:
    """Shards that need not be written: those of an interrupted call, and of a finished one if their checksums hold."""
    out = to.folder
    if not (out / MANIFEST).is_file():
        notes = {plan.file: read_note(out, plan.file) for plan in plans}
        return {file: facts for file, facts in notes.items() if facts is not None and to.holds(facts)}
    entries = [entry for split in read_manifest(out)["splits"].values() for entry in split["shards"]]
    shards = map(ShardFacts.from_json, entries)
    return {facts.file: facts for facts in shards if to.is_intact(facts)}


def _finish(
    collection: Collection, plans: list[ShardPlan], facts: dict[str, ShardFacts], out: Path
) -> tuple[dict[str, Any], list[str]]:
    """Write what is known of the samples, and the manifest; returns it, and the names of images that were left out."""
    splits, skipped = {}, []
    side_files = _SideFiles(out)
    for split, names in collection.splits.items():
        shards = [facts[plan.file] for plan in plans if plan.split == split]
        missing = [index for shard in shards for index in shard.skipped]
        left_out = [names[index] for index in missing]
        splits[split] = _describe_split(split, collection.sample_shape, shards, left_out)
        skipped += left_out
        for kind, values in (("labels", collection.labels), ("attributes", collection.attributes)):
            if split in values:
                side_files.write_array(kind, split, np.delete(values[split], missing, axis=0))
        if collection.has_names:
            gone = set(missing)
            side_files.write_names(split, [name for index, name in enumerate(names) if index not in gone])
    manifest = {
        **identity_of(collection),
        "value_range": list(VALUE_RANGE),
        "splits": splits,
        "labels": side_files.files.get("labels", {}),
        "label_names": list(collection.label_names),
        "attributes": side_files.files.get("attributes", {}),
        "attribute_names": list(collection.attribute_names),
        "names": side_files.files.get("names", {}),
        "files": side_files.digests,
        "selection": collection.selection.as_json(),
    }
    write_manifest(out, manifest)
    remove_leftovers(out)
    return manifest, skipped


def _describe_split(
    split: str, sample_shape: tuple[int, ...], shards: list[ShardFacts], left_out: list[str]
) -> dict[str, Any]:
    """An entry of the manifest."""
    count = sum(shard.count for shard in shards)
    if not count:
        raise InputError(f"not one image of the split {split!r} could be read")
    values = count * math.prod(sample_shape)
    mean = sum(shard.total for shard in shards) / values
    variance = sum(shard.total_of_squares for shard in shards) / values - mean**2
    return {
        "count": count,
        "mean": mean,
        "deviation": math.sqrt(max(variance, 0.0)),
        "skipped": left_out,
        "shards": [asdict(shard) | {"skipped": list(shard.skipped)} for shard in shards],
    }


class _SideFiles:
    """Files next to the shards, and their digests."""

    def __init__(self, out: Path):
        self._out = out
        self.files: dict[str, dict[str, str]] = {}
        self.digests: dict[str, str] = {}

    def write_array(self, kind: str, split: str, values: np.ndarray) -> None:
        """Labels or attributes of a split."""
        write_array(self._out / f"{split}-{kind}.npy", values)
        self._add(kind, split, f"{split}-{kind}.npy")

    def write_names(self, split: str, names: list[str]) -> None:
        """Names of the samples of a split."""
        write_json(self._out / f"{split}-names.json", names)
        self._add("names", split, f"{split}-names.json")

    def _add(self, kind: str, split: str, file: str) -> None:
        self.files.setdefault(kind, {})[split] = file
        self.digests[file] = file_digest(self._out / file)


@contextmanager
def _progress(collection: Collection) -> Iterator[Callable[[int], None]]:
    """A bar over all images on a terminal, nothing elsewhere; gives the function that moves it."""
    console = Console()
    columns = (TextColumn("preparing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=sum(map(len, collection.splits.values())))
        yield lambda done: progress.update(task, advance=done)
