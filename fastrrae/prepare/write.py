"""Write a data set as shards and a manifest; what is already there and whole is not written again."""

import hashlib
import json
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

from ..data.records import FORMAT, MANIFEST, VALUE_RANGE, read_manifest
from ..errors import InputError
from ..run_folder import write_json
from .collection import Collection
from .shards import ShardFacts, ShardPlan, file_digest, note_path, plan_shards, read_note, write_shard

UNFINISHED = "UNFINISHED.json"


class Prepared(NamedTuple):
    """What `prepare` did."""

    manifest: dict[str, Any]
    written: int  # shards
    kept: int  # shards that were there, whole
    skipped: list[str]  # names of images that could not be read


def prepare(collection: Collection, out: Path, *, skip_corrupt: bool = False, workers: int | None = None) -> Prepared:
    """Write `collection` into the folder `out`.

    Shards appear under their names when they are complete, the manifest when all of them are: an interrupted call is
    continued by the same call again, and a finished one is verified by its checksums, and mended if a shard is damaged.

    Args:
        collection: what to write.
        out: a folder that is new, empty, or of an earlier call with the same collection.
        skip_corrupt: leave out images that cannot be read (their names are in the manifest), instead of stopping.
        workers: threads that read and decode; as many as there are cores by default.

    Raises:
        UnreadableImage: an image cannot be read, and is not to be skipped.
        InputError: `out` holds something else, or cannot be written.
    """
    identity = _identity(collection)
    plans = plan_shards(collection)
    try:
        _claim(out, identity)
        found = _finished_shards(out, plans)
        facts = dict(found)
        with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool, _progress(collection) as advance:
            for plan in plans:
                if plan.file in found:
                    advance(plan.stop - plan.start)
                else:
                    facts[plan.file] = write_shard(
                        collection, plan, out, pool, skip_corrupt=skip_corrupt, advance=advance
                    )
        return _finish(collection, identity, plans, facts, out, kept=len(found))
    except OSError as error:
        raise InputError(
            f"cannot write to {out}: {error.strerror or error}. What is whole is kept; mend it and run again"
        ) from None


def _identity(collection: Collection) -> dict[str, Any]:
    """What must be the same for two calls to write the same shards."""
    names = hashlib.sha256()
    for split, members in collection.splits.items():
        names.update("\n".join([split, *members, ""]).encode())
    return {
        "format": FORMAT,
        "source": collection.source,
        "sample_shape": list(collection.sample_shape),
        "transformation": dict(collection.transformation),
        "names_sha256": names.hexdigest(),
    }


def _claim(out: Path, identity: dict[str, Any]) -> None:
    """Make the folder, or make sure that it is of the same collection."""
    out.mkdir(parents=True, exist_ok=True)
    unfinished = out / UNFINISHED
    if (out / MANIFEST).is_file():
        manifest = read_manifest(out)
        there = {name: manifest.get(name) for name in identity}
    elif unfinished.is_file():
        try:
            there = json.loads(unfinished.read_text())
        except ValueError:
            there = {}
    elif any(out.iterdir()):
        raise InputError(f"{out} is not empty and holds no prepared data: choose another folder, or empty it")
    else:
        write_json(unfinished, identity)
        return
    different = [name for name in identity if there.get(name) != identity[name]]
    if different:
        differences = "; ".join(f"{name}: {there.get(name)} there, {identity[name]} now" for name in different)
        raise InputError(
            f"{out} holds data that was prepared otherwise ({differences}): choose another folder, or delete it"
        )


def _finished_shards(out: Path, plans: list[ShardPlan]) -> dict[str, ShardFacts]:
    """Shards that need not be written: those of an interrupted call, and of a finished one if their checksums hold."""
    if not (out / MANIFEST).is_file():
        return {plan.file: facts for plan in plans if (facts := read_note(out, plan.file)) is not None}
    entries = [entry for split in read_manifest(out)["splits"].values() for entry in split["shards"]]
    shards = map(ShardFacts.from_json, entries)
    return {facts.file: facts for facts in shards if facts.fit(out) and file_digest(out / facts.file) == facts.sha256}


def _finish(
    collection: Collection,
    identity: dict[str, Any],
    plans: list[ShardPlan],
    facts: dict[str, ShardFacts],
    out: Path,
    *,
    kept: int,
) -> Prepared:
    splits, labels, skipped = {}, {}, []
    values = math.prod(collection.sample_shape)
    for split, names in collection.splits.items():
        shards = [facts[plan.file] for plan in plans if plan.split == split]
        missing = [index for shard in shards for index in shard.skipped]
        skipped += [names[index] for index in missing]
        count = sum(shard.count for shard in shards)
        if not count:
            raise InputError(f"not one image of the split {split!r} could be read")
        mean = sum(shard.total for shard in shards) / (count * values)
        variance = sum(shard.total_of_squares for shard in shards) / (count * values) - mean**2
        splits[split] = {
            "count": count,
            "mean": mean,
            "deviation": math.sqrt(max(variance, 0.0)),
            "skipped": [names[index] for index in missing],
            "shards": [asdict(shard) for shard in shards],
        }
        if split in collection.labels:
            labels[split] = f"{split}-labels.npy"
            np.save(out / labels[split], np.delete(collection.labels[split], missing), allow_pickle=False)
    manifest = {**identity, "value_range": list(VALUE_RANGE), "splits": splits, "labels": labels}
    write_json(out / MANIFEST, manifest)
    (out / UNFINISHED).unlink(missing_ok=True)
    for plan in plans:
        note_path(out, plan.file).unlink(missing_ok=True)
    return Prepared(manifest, len(plans) - kept, kept, skipped)


@contextmanager
def _progress(collection: Collection) -> Iterator[Callable[[int], None]]:
    """A bar over all images on a terminal, nothing elsewhere; gives the function that moves it."""
    console = Console()
    columns = (TextColumn("preparing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=sum(map(len, collection.splits.values())))
        yield lambda done: progress.update(task, advance=done)
