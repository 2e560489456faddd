"""MNIST from a folder with its four original IDX files, compressed or not. Nothing is downloaded."""

import gzip
import zlib
from pathlib import Path

import numpy as np

from ..errors import InputError
from .dataset import Dataset, Scaling, fit_normalisation

_IMAGES = 2051  # magic numbers: unsigned bytes in three dimensions, and in one
_LABELS = 2049


def load_mnist(folder: str | None, scaling: Scaling = "unit") -> Dataset:
    """60000 training and 10000 test images (28, 28, 1) with values from 0 to 255, and their labels."""
    if folder is None:
        raise InputError(
            "mnist needs --data FOLDER, the folder that holds its IDX files (train-images-idx3-ubyte[.gz], ...)"
        )
    root = Path(folder)
    if not root.is_dir():
        raise InputError(f"--data must be the folder that holds the MNIST files; {root} is not a folder")
    train, train_labels = (read_idx(_find(root, f"train-{kind}"), magic) for kind, magic in _PARTS)
    test, test_labels = (read_idx(_find(root, f"t10k-{kind}"), magic) for kind, magic in _PARTS)
    train, test = train[..., None], test[..., None]
    normalisation = fit_normalisation(train, scaling, (0, 255))
    return Dataset(train, {"test": test}, normalisation, {"train": train_labels, "test": test_labels})


_PARTS = (("images-idx3-ubyte", _IMAGES), ("labels-idx1-ubyte", _LABELS))


def _find(root: Path, name: str) -> Path:
    for candidate in (root / name, root / f"{name}.gz"):
        if candidate.is_file():
            return candidate
    raise InputError(f"{root} has neither {name} nor {name}.gz: the folder must hold the four MNIST files")


def read_idx(path: Path, magic: int) -> np.ndarray:
    """Read an IDX file of unsigned bytes whose header starts with `magic`."""
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
    body = np.frombuffer(content, np.uint8, offset=header_size)
    if body.size != np.prod(shape):
        raise InputError(
            f"{path} is cut short: {int(np.prod(shape))} values announced, {body.size} found. Fetch it again"
        )
    return body.reshape(shape)
