"""MNIST from a folder with its four original IDX files, compressed or not. Nothing is downloaded."""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from ..errors import InputError
from .dataset import Dataset
from .normalisation import Scaling, fit_normalisation

_IMAGES = 2051  # magic numbers: unsigned bytes in three dimensions, and in one
_LABELS = 2049


def load_mnist(folder: str | None, scaling: Scaling = "unit", size: int | None = None) -> Dataset:
    """60000 training and 10000 test images (28, 28, 1) with values from 0 to 255, and their labels.

    Fashion-MNIST has files of the same names and kind.

    Args:
        folder: with the four files.
        scaling: the scaling of values.
        size: zeros around the images make them (size, size, 1).

    Raises:
        InputError: a file is missing or damaged, or there are not as many labels as images.
    """
    if folder is None:
        raise InputError("mnist needs `data`, the folder that holds its IDX files (train-images-idx3-ubyte[.gz], ...)")
    root = Path(folder)
    if not root.is_dir():
        raise InputError(f"`data` must be the folder that holds the MNIST files; {root} is not a folder")
    (train, train_labels), (test, test_labels) = _read_split(root, "train"), _read_split(root, "t10k")
    if size is not None:
        train, test = _padded(train, size), _padded(test, size)
    return Dataset(
        train,
        {"test": test},
        fit_normalisation(train, scaling, (0, 255)),
        {"train": train_labels, "test": test_labels},
        description="MNIST, IDX files",
    )


def _read_split(root: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Images (count, height, width, 1) and labels (count,)."""
    images_file, labels_file = _find(root, f"{split}-images-idx3-ubyte"), _find(root, f"{split}-labels-idx1-ubyte")
    images, labels = read_idx(images_file, _IMAGES), read_idx(labels_file, _LABELS)
    if len(images) != len(labels):
        raise InputError(
            f"{images_file} holds {len(images)} images and {labels_file.name} holds {len(labels)} labels: there must "
            f"be one for each. Fetch both again"
        )
    return images[..., None], labels


def _padded(images: np.ndarray, size: int) -> np.ndarray:
    """Images (count, height, width, 1) with zeros around them, (count, size, size, 1)."""
    missing = [size - side for side in images.shape[1:3]]
    if min(missing) < 0:
        raise InputError(f"`pad_to` must be at least the images' side, {max(images.shape[1:3])}; got {size}")
    return np.pad(images, [(0, 0), *((count // 2, count - count // 2) for count in missing), (0, 0)])


def _find(root: Path, name: str) -> Path:
    for candidate in (root / name, root / f"{name}.gz"):
        if candidate.is_file():
            return candidate
    raise InputError(f"{root} has neither {name} nor {name}.gz: the folder must hold the four MNIST files")


def read_idx(path: Path, magic: int) -> np.ndarray:
    """Read an IDX file of unsigned bytes whose header starts with `magic`.

    Raises:
        InputError: the file is of another kind, damaged, empty, or shorter or longer than its header says.
    """
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path} is damaged or cut short ({error}): fetch it again") from None
    axes = magic % 256
    header_size = 4 * (1 + axes)
    header = np.frombuffer(content[:header_size], ">u4") if len(content) >= header_size else np.zeros(1)
    if header[0] != magic:
        raise InputError(f"{path} is not the IDX file it should be: its header must start with {magic}")
    shape = tuple(int(n) for n in header[1:])
    size, found = math.prod(shape), len(content) - header_size
    if found != size:
        damage = "is cut short" if found < size else "is damaged"
        raise InputError(f"{path} {damage}: {size} values announced, {found} found. Fetch it again")
    if not size:
        raise InputError(f"{path} holds nothing: its header announces the shape {shape}. Fetch it again")
    return np.frombuffer(content, np.uint8, offset=header_size).reshape(shape)
