"""CIFAR-10, the binary release: six files of 10,000 records, a label and 3 x 32 x 32 bytes each."""

from pathlib import Path

import numpy as np

from ..errors import InputError
from .collection import Collection

_RECORD = 1 + 3 * 32 * 32
_FILES = {"train": [f"data_batch_{number}.bin" for number in range(1, 6)], "test": ["test_batch.bin"]}


def list_cifar10(source: Path) -> Collection:
    """50,000 training and 10,000 test images (32, 32, 3) and their labels.

    `source` is the folder of the .bin files, or the one above it. The release for Python is refused: its files are
    pickles, and unpickling runs whatever a file says.
    """
    root = next(
        (folder for folder in (source, source / "cifar-10-batches-bin") if (folder / "test_batch.bin").is_file()), None
    )
    if root is None:
        pickled = (
            "cifar-10-batches-py is the release for Python, whose pickles are not read; "
            if _has_pickles(source)
            else ""
        )
        raise InputError(
            f"{source} does not hold CIFAR-10's binary release: {pickled}it must have data_batch_1.bin to "
            f"data_batch_5.bin and test_batch.bin, from cifar-10-binary.tar.gz"
        )
    records = {split: np.concatenate([_read(root / name) for name in names]) for split, names in _FILES.items()}
    images = {
        split: np.ascontiguousarray(values[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
        for split, values in records.items()
    }
    return Collection.of_arrays("cifar10", images, {split: values[:, 0] for split, values in records.items()})


def _has_pickles(source: Path) -> bool:
    return any((folder / "data_batch_1").is_file() for folder in (source, source / "cifar-10-batches-py"))


def _read(path: Path) -> np.ndarray:
    if not path.is_file():
        raise InputError(f"{path} is missing: CIFAR-10's binary release has six .bin files")
    values = np.fromfile(path, np.uint8)
    if values.size == 0 or values.size % _RECORD:
        raise InputError(
            f"{path} is cut short: its {values.size} bytes are not a multiple of {_RECORD}. Fetch it again"
        )
    records = values.reshape(-1, _RECORD)
    if records[:, 0].max() > 9:
        raise InputError(
            f"{path} is not a file of CIFAR-10: it has a label {records[:, 0].max()}, and there are 0 to 9"
        )
    return records
