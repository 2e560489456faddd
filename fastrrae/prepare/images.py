"""Any folder or zip archive of images."""

from pathlib import Path, PurePosixPath

import numpy as np

from ..data.holdout import hold_out
from ..errors import InputError
from .collection import Collection
from .crop import decode_square, describe_square
from .files import open_files


def list_images(source: Path, *, size: int, crop: int | None, test_fraction: float) -> Collection:
    """The centre squares (of side `crop`, or the largest) of all images in `source`, resized to `size` x `size`.

    If every image lies below a folder `train` or `test` of the source, those are the splits; if not, `test_fraction` of
    them are drawn for testing, by a fixed seed.
    """
    transformation = describe_square(crop, size)
    if crop is not None and crop < 1:
        raise InputError(f"--crop must be at least 1; got {crop}")
    files = open_files(source)
    if len(files.names) < 2:
        raise InputError(
            f"{source} holds {len(files.names)} images; there must be at least one to train and one to test on"
        )
    members = _split(files.names, test_fraction)

    def read(split: str, index: int) -> np.ndarray:
        name = members[split][index]
        return decode_square(files.read(name), name, crop=crop, size=size)

    return Collection("images", (size, size, 3), transformation, members, read)


def _split(names: list[str], test_fraction: float) -> dict[str, list[str]]:
    by_folder: dict[str, list[str]] = {}
    for name in names:
        by_folder.setdefault(PurePosixPath(name).parts[0], []).append(name)
    if set(by_folder) == {"train", "test"}:
        return {"train": by_folder["train"], "test": by_folder["test"]}
    train, test = hold_out(len(names), test_fraction, unit="image")
    return {"train": [names[i] for i in train], "test": [names[i] for i in test]}
