"""Any folder or zip archive of images."""

from pathlib import Path
from typing import Literal

import numpy as np

from ..data.splits import split_at_random
from ..errors import InputError
from .collection import Collection, Selection
from .decode_image import Background, decode_square, describe_square
from .folder_splits import Classes, common_folders, find_classes, find_splits
from .image_files import ImageFiles, open_files


def list_images(
    source: Path,
    *,
    size: int,
    crop: int | None,
    test_fraction: float,
    validation_fraction: float = 0.0,
    split: Literal["auto", "random"] = "auto",
    background: Background = "white",
) -> Collection:
    """The centre squares (of side `crop`, or the largest) of all images in `source`, resized to `size` x `size`.

    Args:
        source: a folder or a .zip archive. The folders in which images lie are their classes.
        size: side of the samples.
        crop: side of the square that is cut out; None takes the largest.
        test_fraction: share that is held out for testing, unless folders name the splits.
        validation_fraction: the same for validation.
        split: auto goes by folders named train, test, val or validation (`find_splits`); random ignores them.
        background: what lies behind transparent pixels.

    Raises:
        InputError: there are too few images, or folders named like splits that cannot be followed.
    """
    transformation = describe_square(crop, size) | {"orientation": "EXIF", "background": background}
    if crop is not None and crop < 1:
        raise InputError(f"`crop` must be at least 1; got {crop}")
    files = open_files(source)
    if len(files.names) < 2:
        raise InputError(
            f"{source} holds {len(files.names)} images; there must be at least one to train and one to test on"
        )
    members, classes, sentence, outside = _divide(files, test_fraction, validation_fraction, split)
    unused = files.unused | ({"beside the folders of the splits": outside} if outside else {})

    def read(part: str, index: int) -> np.ndarray:
        name = members[part][index]
        return decode_square(files.read(name), name, crop=crop, size=size, background=background)

    return Collection(
        "images",
        (size, size, 3),
        transformation,
        members,
        read,
        classes.labels,
        classes.names,
        selection=Selection((sentence, classes.sentence), unused),
    )


def _divide(
    files: ImageFiles, test_fraction: float, validation_fraction: float, split: str
) -> tuple[dict[str, list[str]], Classes, str, list[str]]:
    """Images by split, their classes, a sentence on it, and images outside the folders of the splits."""
    folders = {name: files.folders(name) for name in files.names}
    shared = common_folders(folders)
    folders = {name: levels[shared:] for name, levels in folders.items()}
    found = find_splits(folders) if split == "auto" else None
    if found is None:
        members = _drawn(files.names, test_fraction, validation_fraction)
        sentence = f"found {len(files.names)} images, split at random: {_counts(members)}"
        return members, find_classes(members, folders), sentence, []
    by_folders = ", ".join(
        f"{' and '.join(names)} ({len(found.members[part])} to {_USES[part]})" for part, names in found.folders.items()
    )
    sentence = f"found {len(files.names)} images, split by folders: {by_folders}"
    return found.members, find_classes(found.members, found.classes), sentence, found.outside


_USES = {"train": "train on", "validation": "validate on", "test": "test on"}


def _drawn(names: list[str], test_fraction: float, validation_fraction: float) -> dict[str, list[str]]:
    split = split_at_random(len(names), test_fraction, validation_fraction, unit="image")
    parts = {"train": split.train, "validation": split.validation, "test": split.test}
    return {part: [names[index] for index in indices] for part, indices in parts.items() if len(indices)}


def _counts(members: dict[str, list[str]]) -> str:
    return ", ".join(f"{len(names)} to {_USES[part]}" for part, names in members.items())
