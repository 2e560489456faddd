"""`SHA256SUMS`: what files should hold, in the format that `sha256sum -c` reads."""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from .atomic_files import write_text

_LINE = re.compile(r"([0-9a-f]{64})  ([^/\n]+)")


def write_checksums(path: Path, names: Iterable[str]) -> None:
    """Write the checksums of files next to `path`; those that do not exist are left out."""
    there = [name for name in names if (path.parent / name).is_file()]
    write_text(path, "".join(f"{file_digest(path.parent / name)}  {name}\n" for name in there))


def first_changed(path: Path, names: Iterable[str]) -> str | None:
    """The first of the files that is not what was written, or is missing; the name of `path`, if that is damaged.

    Files that have no checksum are taken as they are.
    """
    lines = [_LINE.fullmatch(line) for line in path.read_bytes().decode("utf-8", "replace").splitlines()]
    if not lines or None in lines:
        return path.name
    stored = {match[2]: match[1] for match in lines if match is not None}
    for name in names:
        file = path.parent / name
        if name in stored and not (file.is_file() and file_digest(file) == stored[name]):
            return name
    return None


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content, read piece by piece, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
