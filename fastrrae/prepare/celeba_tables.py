"""CelebA's text files, as published or comma-separated: which image is in which split, and its attributes."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..data.text_files import read_text
from ..errors import InputError

_SPLITS = ("train", "validation", "test")  # 0, 1, 2 in the partition file


def read_partition(path: Path) -> dict[str, list[str]]:
    """Names of images by split, from lines of a file name and 0, 1 or 2 (with spaces or commas, a header or none)."""
    members: dict[str, list[str]] = {split: [] for split in _SPLITS}
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        fields = _fields(line)
        if not fields or (number == 1 and fields[-1] == "partition"):
            continue
        if len(fields) != 2 or fields[1] not in ("0", "1", "2"):
            raise InputError(f"{path}, line {number}: must be a file name and 0, 1 or 2; got {line[:80]!r}")
        members[_SPLITS[int(fields[1])]].append(fields[0])
    if not members["train"] or not members["test"]:
        raise InputError(f"{path} names no images to {'test' if members['train'] else 'train'} on: it is cut short")
    return {split: names for split, names in members.items() if names}


def read_attributes(path: Path, members: Mapping[str, Sequence[str]]) -> tuple[tuple[str, ...], dict[str, np.ndarray]]:
    """Names of the attributes, and by split whether each image of `members` has them, (count, attributes) bool.

    As published: the number of images, a line of names, then a file name and 1 or -1 for each attribute. As a
    comma-separated table: a header that starts with `image_id`, and no number of images.
    """
    lines = read_text(path).splitlines()
    published = bool(lines) and lines[0].strip().isdigit()
    header = _fields(lines[published]) if len(lines) > published else []
    names = tuple(header if published else header[1:])
    if not names:
        raise InputError(f"{path} must name its attributes in line {1 + published}; it is cut short or of another kind")
    rows = {}
    for number, line in enumerate(lines[1 + published :], start=2 + published):
        fields = _fields(line)
        if not fields:
            continue
        if len(fields) != 1 + len(names) or not set(fields[1:]) <= {"1", "-1", "0"}:
            raise InputError(
                f"{path}, line {number}: must be a file name and 1 or -1 for each of {len(names)} attributes; got "
                f"{line[:80]!r}"
            )
        rows[fields[0]] = [value == "1" for value in fields[1:]]
    absent = [image for images in members.values() for image in images if image not in rows]
    if absent:
        raise InputError(f"{path} has no attributes of {len(absent)} images, first {absent[0]}: it is cut short")
    return names, {split: np.array([rows[image] for image in images], bool) for split, images in members.items()}


def _fields(line: str) -> list[str]:
    return line.replace(",", " ").split()
