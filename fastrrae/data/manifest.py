"""The manifest of a prepared folder: what its shards hold, and digests by which damage is noticed."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..atomic_files import write_json
from ..checksums import file_digest
from ..errors import InputError, first_line
from .text_files import read_text

FORMAT = "fastrrae-records-1"
MANIFEST = "manifest.json"
VALUE_RANGE = (0, 255)
_DIGEST = "manifest_sha256"


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write it, with a digest of itself."""
    write_json(folder / MANIFEST, {**manifest, _DIGEST: _digest(manifest)})


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a prepared folder, checked."""
    path = folder / MANIFEST
    if not path.is_file():
        raise InputError(
            f"{folder} has no {MANIFEST}: it must be a folder that `fastrrae prepare` has finished (see "
            f"`fastrrae prepare --help`)"
        )
    try:
        manifest = json.loads(read_text(path))
        if manifest["format"] != FORMAT:
            raise InputError(f"{path} has the format {manifest['format']!r}; this version reads {FORMAT!r}")
        if not {"train"} < set(manifest["splits"]):
            raise InputError(
                f"{path} must name a split `train` and another to test on; it has {sorted(manifest['splits'])}"
            )
        for split in manifest["splits"].values():
            if split["count"] != sum(shard["count"] for shard in split["shards"]):
                raise InputError(f"{path} is inconsistent: a split's count is not that of its shards. Prepare it again")
        _require_types(manifest)
    except InputError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{path} is not a manifest of `fastrrae prepare` ({error!r}): prepare the data again"
        ) from None
    if manifest.pop(_DIGEST, None) not in (None, _digest(manifest)):  # earlier versions wrote none
        raise InputError(f"{path} is damaged: it does not have the contents that were written. Prepare the data again")
    return manifest


def _require_types(manifest: dict[str, Any]) -> None:
    """Raise ValueError if a part that is read later is not what it should be."""
    shape = manifest["sample_shape"]
    good = isinstance(shape, list) and len(shape) == 3 and all(isinstance(n, int) and 0 < n < 2**20 for n in shape)
    for split in manifest["splits"].values():
        numbers = [split["mean"], split["deviation"]]
        good = good and split["count"] > 0 and all(isinstance(n, int | float) for n in numbers)
        for shard in split["shards"]:
            good = good and _is_name(shard["file"]) and len(shard["sha256"]) == 64
            good = good and all(isinstance(shard[name], int) and shard[name] >= 0 for name in ("count", "bytes"))
    files = [*manifest["labels"].values(), *manifest.get("attributes", {}).values()]
    if not (good and all(map(_is_name, files)) and isinstance(manifest.get("files", {}), dict)):
        raise ValueError("a part of it has another form")


def _is_name(file: Any) -> bool:
    return isinstance(file, str) and Path(file).name == file


def _digest(manifest: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def fingerprint_of_shards(manifest: Mapping[str, Any]) -> str:
    """What a run knows its data by: a digest of those of all shards."""
    digests = [shard["sha256"] for split in manifest["splits"].values() for shard in split["shards"]]
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def read_array(root: Path, manifest: Mapping[str, Any], file: str) -> np.ndarray:
    """One of the .npy files that the manifest names."""
    _require_whole(root, manifest, file)
    try:
        return np.load(root / file, allow_pickle=False)
    except Exception as error:  # NumPy's reader raises nearly anything on damaged bytes
        raise _damaged(root / file, first_line(error)) from None


def read_names(root: Path, manifest: Mapping[str, Any], file: str) -> list[str]:
    """One of the lists of sample names that the manifest names."""
    _require_whole(root, manifest, file)
    try:
        return list(json.loads((root / file).read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise _damaged(root / file, first_line(error)) from None


def _require_whole(root: Path, manifest: Mapping[str, Any], file: str) -> None:
    path, digest = root / file, manifest.get("files", {}).get(file)
    if not path.is_file():
        raise _damaged(path, "it is missing")
    if digest is not None and file_digest(path) != digest:
        raise _damaged(path, "its digest is not the one in the manifest")


def _damaged(path: Path, reason: str) -> InputError:
    return InputError(f"{path} is damaged ({reason}): run `fastrrae prepare` again, which writes it again")
