"""CelebA, aligned and cropped, in its official layout: 202,599 JPEG files of 178 x 218 pixels and a partition file."""

from pathlib import Path, PurePosixPath

import numpy as np

from ..errors import InputError
from .celeba_tables import read_attributes, read_partition
from .collection import Collection, Selection
from .decode_image import decode_square, describe_square
from .image_files import ImageFiles, open_files

IMAGE_SIZE = (178, 218)
_IMAGES = ("img_align_celeba", "img_align_celeba.zip", "Img/img_align_celeba", "Img/img_align_celeba.zip")
_PARTITION = tuple(f"{folder}list_eval_partition.{kind}" for folder in ("", "Eval/") for kind in ("txt", "csv"))
_ATTRIBUTES = tuple(f"{folder}list_attr_celeba.{kind}" for folder in ("", "Anno/") for kind in ("txt", "csv"))


def list_celeba(source: Path, *, size: int, crop: int) -> Collection:
    """The official split, each image's central `crop` x `crop` pixels resized to `size` x `size`.

    `source` is the folder that holds the images, in a folder or a zip archive `img_align_celeba`, and
    `list_eval_partition.txt` (or .csv); or that archive itself, with the partition file in the same folder. The
    attributes in `list_attr_celeba.txt` (or .csv) are kept where that file is there too.
    """
    transformation = describe_square(crop, size)
    if not 1 <= crop <= min(IMAGE_SIZE):
        raise InputError(f"`crop` must be from 1 to {min(IMAGE_SIZE)}, the images' smaller side; got {crop}")
    root = source if source.is_dir() else source.parent
    images = _find(root, _IMAGES) if source.is_dir() else source
    if images is None:
        raise _missing(root, _IMAGES, "the images")
    files = open_files(images)
    partition = _find(root, _PARTITION)
    if partition is None:
        raise _missing(root, _PARTITION, "the official split")
    members = read_partition(partition)
    where, unused = _by_file_name(files, {name for names in members.values() for name in names})
    absent = [name for names in members.values() for name in names if name not in where]
    if absent:
        raise InputError(
            f"{len(absent)} images of {partition.name} are not among the {len(where)} found, first {absent[0]}: the "
            f"set in {source} is not complete, fetch it again"
        )

    def read(split: str, index: int) -> np.ndarray:
        name = members[split][index]
        return decode_square(files.read(where[name]), name, crop=crop, size=size, expected=IMAGE_SIZE)

    listed = _find(root, _ATTRIBUTES)
    attribute_names, attributes = ((), {}) if listed is None else read_attributes(listed, members)
    counts = ", ".join(f"{len(names)} {split}" for split, names in members.items())
    told = (
        f"{len(attribute_names)} attributes from {listed.name}" if listed else "no attributes: no list_attr_celeba.txt"
    )
    return Collection(
        "celeba",
        (size, size, 3),
        transformation,
        members,
        read,
        attributes=attributes,
        attribute_names=attribute_names,
        selection=Selection((f"found {len(files.names)} images, split by {partition.name}: {counts}", told), unused),
    )


def _find(root: Path, candidates: tuple[str, ...]) -> Path | None:
    return next((root / candidate for candidate in candidates if (root / candidate).exists()), None)


def _missing(root: Path, candidates: tuple[str, ...], what: str) -> InputError:
    return InputError(f"{root} does not hold {what}: there is no {' and no '.join(candidates)}")


def _by_file_name(files: ImageFiles, wanted: set[str]) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Paths of the wanted images by file name, the outermost where a name is there twice; and the rest, by reason."""
    where: dict[str, str] = {}
    unused = {reason: list(names) for reason, names in files.unused.items()}
    for name in sorted(files.names, key=lambda name: (name.count("/"), name)):
        last = PurePosixPath(name).name
        if last not in wanted:
            unused.setdefault("not in the partition file", []).append(name)
        elif where.setdefault(last, name) != name:
            unused.setdefault("images whose name is there twice", []).append(name)
    return where, unused
