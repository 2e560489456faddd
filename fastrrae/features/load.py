"""Features from a file, whose contents say which network it holds."""

from pathlib import Path

from ..errors import InputError
from .extractor import FeatureExtractor
from .inception import Inception, is_inception
from .storage import is_classifier, read_arrays, read_classifier


def load_features(path: str | Path) -> FeatureExtractor:
    """The network in a .npz file: a classifier of `fastrrae train-features`, or weights of Inception-v3.

    Raises:
        InputError: it is neither, or damaged.
    """
    path = Path(path)
    arrays = read_arrays(path)
    if is_classifier(arrays):
        return read_classifier(path, arrays)
    if is_inception(arrays):
        return Inception.from_arrays(arrays, path)
    raise InputError(
        f"{path} holds neither a classifier of `fastrrae train-features` nor the weights of Inception-v3 by their "
        f"names in PyTorch (Conv2d_1a_3x3.conv.weight, ...): docs/how-to/inception-weights.md shows how to convert them"
    )
