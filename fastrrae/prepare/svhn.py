"""SVHN, the cropped digits: train_32x32.mat and test_32x32.mat, files of Matlab 5."""

from pathlib import Path

import numpy as np

from ..errors import InputError, first_line
from .collection import Collection

_SHAPE = (32, 32, 3)


def list_svhn(source: Path) -> Collection:
    """73,257 training and 26,032 test images (32, 32, 3) and their labels, the digits 0 to 9.

    `source` is the folder of the two files. The files call the digit zero 10. Nothing in them is run.
    """
    found = {split: _read(source / f"{split}_32x32.mat") for split in ("train", "test")}
    images = {split: values for split, (values, _) in found.items()}
    return Collection.of_arrays("svhn", images, {split: labels for split, (_, labels) in found.items()})


def _read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images (count, 32, 32, 3) and labels (count,)."""
    from scipy.io import loadmat

    if not path.is_file():
        raise InputError(f"{path} is missing: the folder must hold SVHN's train_32x32.mat and test_32x32.mat")
    try:
        content = loadmat(path, variable_names=["X", "y"])
    except Exception as error:  # scipy has no one error for files that are damaged
        raise InputError(f"{path} is damaged or not a file of Matlab 5 ({first_line(error)}): fetch it again") from None
    images, labels = content.get("X"), content.get("y")
    if images is None or labels is None or images.shape[:3] != _SHAPE or images.ndim != 4 or images.dtype != np.uint8:
        raise InputError(f"{path} is not a file of SVHN: it must hold X, bytes of shape (32, 32, 3, count), and y")
    labels = labels.ravel().astype(np.int64)
    if len(labels) != images.shape[3] or not len(labels) or labels.min() < 0 or labels.max() > 10:
        raise InputError(f"{path} is not a file of SVHN: y must have a digit from 1 to 10 for each of its images")
    return np.ascontiguousarray(np.moveaxis(images, 3, 0)), labels % 10
