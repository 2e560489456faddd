"""The data set in a folder of `fastrrae prepare`: samples are read when they are wanted.

A folder holds `manifest.json`, and for each split its shards: one record a sample, its raw bytes in C order.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, first_line
from .dataset import Dataset
from .manifest import MANIFEST, VALUE_RANGE, fingerprint_of_shards, read_array, read_manifest, read_names
from .normalisation import Normalisation, Scaling, fit_normalisation, normalisation_of
from .record_samples import RecordSamples, Shard

OpenSplit = Callable[[Path, dict[str, Any], str], RecordSamples]
"""From a folder, its manifest and the name of a split to the samples."""


def is_prepared(folder: str | None) -> bool:
    """Whether `fastrrae prepare` has finished there."""
    return folder is not None and (Path(folder) / MANIFEST).is_file()


def load_records(folder: str | None, scaling: Scaling = "unit", open_split: OpenSplit | None = None) -> Dataset:
    """The data set in a prepared folder: images (height, width, channels) with values from 0 to 255.

    Args:
        folder: the prepared folder.
        scaling: how values enter the model.
        open_split: makes the samples of a split of the manifest, where its shards are not in `folder`.

    Raises:
        InputError: the folder is not of `fastrrae prepare`, or a file in it is missing or damaged; shards are compared
            by size here, and their contents as they are read.
    """
    if folder is None:
        raise InputError("`data` must be a folder that `fastrrae prepare` has written, for this recipe")
    root = Path(folder)
    if not root.is_dir():
        raise InputError(f"`data` must be a folder that `fastrrae prepare` has written; {root} is not a folder")
    manifest = read_manifest(root)
    splits = {name: (open_split or _open)(root, manifest, name) for name in manifest["splits"]}
    train = splits.pop("train")
    return Dataset(
        train,
        {name: splits[name] for name in sorted(splits, key=lambda name: name != "test")},
        _normalisation(manifest, train, scaling),
        {name: read_array(root, manifest, file) for name, file in manifest["labels"].items()},
        known_fingerprint=fingerprint_of_shards(manifest),
        label_names=tuple(manifest.get("label_names", ())),
        attributes=_attributes(root, manifest),
        sample_names={name: read_names(root, manifest, file) for name, file in manifest.get("names", {}).items()},
        description=f"prepared {manifest.get('source', 'images')}",
    )


def _normalisation(manifest: dict[str, Any], train: RecordSamples, scaling: Scaling) -> Normalisation:
    if scaling.endswith("-per-feature"):
        return fit_normalisation(train, scaling, VALUE_RANGE)
    statistics = manifest["splits"]["train"]
    return normalisation_of(scaling, VALUE_RANGE, mean=statistics["mean"], deviation=statistics["deviation"])


def _attributes(root: Path, manifest: dict[str, Any]) -> dict[str, dict[str, np.ndarray]]:
    """By split, then by name, (count,) true or false."""
    names = manifest.get("attribute_names", ())
    attributes = {}
    for split, file in manifest.get("attributes", {}).items():
        table = read_array(root, manifest, file)
        if table.ndim != 2 or table.shape[1] != len(names):
            raise InputError(f"{root / file} does not fit the {len(names)} attributes in {MANIFEST}: prepare again")
        attributes[split] = {name: table[:, index] for index, name in enumerate(names)}
    return attributes


def _open(root: Path, manifest: dict[str, Any], split: str) -> RecordSamples:
    shards = []
    for entry in manifest["splits"][split]["shards"]:
        path = root / entry["file"]
        size = path.stat().st_size if path.is_file() else None
        if size != entry["bytes"]:
            found = "is missing" if size is None else f"has {size} bytes instead of {entry['bytes']}"
            raise InputError(f"{path} {found}: run `fastrrae prepare` again, which writes damaged shards again")
        shards.append(Shard(str(path), entry["count"]))
    try:
        return RecordSamples(shards, tuple(manifest["sample_shape"]))
    except (RuntimeError, ValueError, OSError) as error:
        raise InputError(
            f"a shard in {root} cannot be read ({first_line(error)}): run `fastrrae prepare` again, which verifies "
            f"every shard and writes damaged ones again"
        ) from None
