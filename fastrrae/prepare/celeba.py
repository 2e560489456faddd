"""CelebA, aligned and cropped, in its official layout: 202,599 JPEG files of 178 x 218 pixels and a partition file."""

from pathlib import Path, PurePosixPath

import numpy as np

from ..errors import InputError
from .collection import Collection
from .crop import decode_square, describe_square
from .files import ImageFiles, open_files

IMAGE_SIZE = (178, 218)
PARTITION = "list_eval_partition.txt"
_IMAGES = ("img_align_celeba", "img_align_celeba.zip", "Img/img_align_celeba", "Img/img_align_celeba.zip")
_SPLITS = ("train", "validation", "test")  # 0, 1, 2 in the partition file


def list_celeba(source: Path, *, size: int, crop: int) -> Collection:
    """The official split, each image's central `crop` x `crop` pixels resized to `size` x `size`.

    `source` is the folder that holds the images, in a folder or a zip archive `img_align_celeba`, and
    `list_eval_partition.txt`; or that archive itself, with the partition file beside it.
    """
    transformation = describe_square(crop, size)
    if not 1 <= crop <= min(IMAGE_SIZE):
        raise InputError(f"--crop must be from 1 to {min(IMAGE_SIZE)}, the images' smaller side; got {crop}")
    root = source if source.is_dir() else source.parent
    files = open_files(_find(root, _IMAGES, "the images") if source.is_dir() else source)
    where = _by_file_name(files)
    members = _read_partition(_find(root, (PARTITION, f"Eval/{PARTITION}"), "the official split"))
    absent = [name for names in members.values() for name in names if name not in where]
    if absent:
        raise InputError(
            f"{len(absent)} images of {PARTITION} are not among the {len(where)} found, first {absent[0]}: the set in "
            f"{source} is not complete, fetch it again"
        )

    def read(split: str, index: int) -> np.ndarray:
        name = members[split][index]
        return decode_square(files.read(where[name]), name, crop=crop, size=size, expected=IMAGE_SIZE)

    return Collection("celeba", (size, size, 3), transformation, members, read)


def _find(root: Path, candidates: tuple[str, ...], what: str) -> Path:
    for candidate in candidates:
        if (root / candidate).exists():
            return root / candidate
    raise InputError(f"{root} does not hold {what}: there is no {' and no '.join(candidates)}")


def _by_file_name(files: ImageFiles) -> dict[str, str]:
    return {PurePosixPath(name).name: name for name in files.names}


def _read_partition(path: Path) -> dict[str, list[str]]:
    members: dict[str, list[str]] = {split: [] for split in _SPLITS}
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        fields = line.split()
        if not fields:
            continue
        if len(fields) != 2 or fields[1] not in ("0", "1", "2"):
            raise InputError(f"{path}, line {number}: must be a file name and 0, 1 or 2; got {line[:80]!r}")
        members[_SPLITS[int(fields[1])]].append(fields[0])
    if not members["train"] or not members["test"]:
        raise InputError(f"{path} names no images to {'test' if members['train'] else 'train'} on: it is cut short")
    return {split: names for split, names in members.items() if names}
