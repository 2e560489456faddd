"""What may happen to a folder that an earlier call has written to: continued, verified, begun again, or left alone."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from ..atomic_files import write_json
from ..data.manifest import FORMAT, MANIFEST, read_manifest, read_names
from ..data.text_files import printable, read_text
from ..errors import InputError
from ..folder_lock import LOCK_FILES
from .collection import Collection

UNFINISHED = "UNFINISHED.json"
_NAMES = "names_sha256"
_SPLIT_FILE = r"(train|test|validation)-\d{5}-of-\d{5}\.arrayrecord"
_SHARD = re.compile(_SPLIT_FILE + r"(\.json|\.partial)?")
_NOTE = re.compile(_SPLIT_FILE + r"\.json")
_PARTIAL = re.compile(r"\.?(UNFINISHED|manifest|(train|test|validation)-.*)\.(json|npy)\.\w+\.partial")


def identity_of(collection: Collection) -> dict[str, Any]:
    """What must be the same for two calls to write the same shards."""
    names = hashlib.sha256()
    for split, members in collection.splits.items():
        names.update("\n".join([split, *members, ""]).encode("utf-8", "surrogateescape"))
    return {
        "format": FORMAT,
        "source": collection.source,
        "sample_shape": list(collection.sample_shape),
        "transformation": dict(collection.transformation),
        _NAMES: names.hexdigest(),
    }


def claim_folder(out: Path, collection: Collection) -> list[str]:
    """Make sure that the folder is empty or of the same collection; returns what to tell of an earlier call.

    Raises:
        InputError: the folder holds something else, or a finished data set of other images or other options.
    """
    identity = identity_of(collection)
    if (out / MANIFEST).is_file():
        return _claim_finished(out, collection, identity)
    if (out / UNFINISHED).is_file():
        return _claim_unfinished(out, collection, identity)
    others = [path.name for path in out.iterdir() if path.name not in LOCK_FILES]
    if not all(map(_PARTIAL.fullmatch, others)):  # a call may be killed in its first moment
        raise InputError(f"{out} is not empty and holds no prepared data: choose another folder, or empty it")
    _begin(out, collection, identity)
    return []


def _claim_finished(out: Path, collection: Collection, identity: dict[str, Any]) -> list[str]:
    try:
        manifest = read_manifest(out)
    except InputError as error:
        if not any(_SHARD.fullmatch(path.name) for path in out.iterdir()) or "has the format" in str(error):
            raise
        _begin(out, collection, identity)
        return [f"{out / MANIFEST} was damaged: all shards are written again"]
    _require_same_options(out, manifest, identity)
    if manifest.get(_NAMES) != identity[_NAMES]:
        raise InputError(
            f"{out} holds data prepared from other images than are there now ({_changes(out, manifest, collection)}): "
            f"choose another folder, or delete it to prepare those that are there now"
        )
    return []


def _claim_unfinished(out: Path, collection: Collection, identity: dict[str, Any]) -> list[str]:
    try:
        there = dict(json.loads(read_text(out / UNFINISHED)))
    except (ValueError, TypeError):
        there = {}
    if there.get("format") == FORMAT:
        _require_same_options(out, there, identity)
        if there.get(_NAMES) == identity[_NAMES]:
            return []
        note = f"the images have changed since the call that was interrupted ({_counts(there, collection)})"
    else:
        note = f"{out / UNFINISHED} does not say what an earlier call was writing"
    _begin(out, collection, identity)
    return [f"{note}: what it wrote is discarded, and all shards are written again"]


def _begin(out: Path, collection: Collection, identity: dict[str, Any]) -> None:
    """Discard what an earlier call wrote, and say whose the folder is. Killed in between, the next call begins here."""
    write_json(out / UNFINISHED, {})
    (out / MANIFEST).unlink(missing_ok=True)
    for path in list(out.iterdir()):
        if _SHARD.fullmatch(path.name) or _PARTIAL.fullmatch(path.name):
            path.unlink()
    counts = {split: len(names) for split, names in collection.splits.items()}
    write_json(out / UNFINISHED, {**identity, "counts": counts})


def remove_leftovers(out: Path) -> None:
    """Delete the notes of a call that is finished now, and files that killed calls left half written."""
    (out / UNFINISHED).unlink(missing_ok=True)
    for path in list(out.iterdir()):
        if _NOTE.fullmatch(path.name) or _PARTIAL.fullmatch(path.name):
            path.unlink()


def _require_same_options(out: Path, there: dict[str, Any], identity: dict[str, Any]) -> None:
    different = [name for name in identity if name != _NAMES and there.get(name) != identity[name]]
    if different:
        differences = "; ".join(f"{name}: {there.get(name)} there, {identity[name]} now" for name in different)
        raise InputError(
            f"{out} holds data prepared with other settings ({differences}): choose another folder, or delete it"
        )


def _counts(there: dict[str, Any], collection: Collection) -> str:
    before = there.get("counts", {})
    now = {split: len(names) for split, names in collection.splits.items()}
    return ", ".join(f"{split}: {before.get(split, 'unknown')} then, {count} now" for split, count in now.items())


def _changes(out: Path, manifest: dict[str, Any], collection: Collection) -> str:
    """Which images have come and gone, or how many there are, where the earlier call did not keep names."""
    counts = {split: entry["count"] + len(entry.get("skipped", ())) for split, entry in manifest["splits"].items()}
    try:
        files = manifest["names"].items()
        before = {name for _, file in files for name in read_names(out, manifest, file)}
        before |= {name for entry in manifest["splits"].values() for name in entry["skipped"]}
    except (KeyError, InputError):
        return _counts({"counts": counts}, collection)
    now = {name for names in collection.splits.values() for name in names}
    parts = [_some(sorted(before - now), "gone"), _some(sorted(now - before), "new")]
    return ", ".join(part for part in parts if part) or "the same images, split otherwise"


def _some(names: list[str], what: str) -> str:
    return f"{len(names)} {what}, first {printable(names[0])}" if names else ""
