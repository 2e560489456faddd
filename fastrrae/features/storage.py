"""A classifier for features as one .npz file: weights by path, and facts as JSON text. Never a pickle."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from flax import nnx

from ..atomic_files import replacing
from ..data import Normalisation
from ..errors import InputError, first_line
from ..training.state_arrays import digest, flatten, unflatten
from .classifier import WIDTHS, Classifier, ClassifierNetwork

FORMAT = "fastrrae-classifier-2"
_FACTS = "facts"
_UNREADABLE = (ValueError, OSError, EOFError, AttributeError, KeyError, NotImplementedError, zipfile.BadZipFile)


def save_classifier(path: Path, classifier: Classifier) -> None:
    """Write `classifier` under `path`, which never holds half of it, whoever writes it at the same time."""
    state = nnx.state(classifier.network)
    header = {
        "format": FORMAT,
        "sample_shape": list(classifier.network.sample_shape),
        "classes": classifier.network.classes,
        "widths": list(classifier.network.widths),
        "normalisation": [classifier.normalisation.offset, classifier.normalisation.scale],
        "facts": classifier.facts,
        "sha256": digest(state),
    }
    with replacing(path) as file:
        np.savez(file, allow_pickle=False, **{_FACTS: np.array(json.dumps(header))}, **flatten(state))


def read_classifier(path: Path, arrays: dict[str, np.ndarray]) -> Classifier:
    """The classifier from what `read_arrays` read at `path`; its digest is verified."""
    header = _read_header(path, arrays)
    widths = tuple(header.get("widths", WIDTHS))  # files of earlier versions do not say
    network = ClassifierNetwork(tuple(header["sample_shape"]), header["classes"], widths=widths, rngs=nnx.Rngs(0))
    weights = {name: array for name, array in arrays.items() if name != _FACTS}
    try:
        nnx.update(network, unflatten(nnx.state(network), weights))
    except ValueError as error:
        raise InputError(f"{path} does not hold the classifier that it announces: {error}") from None
    if digest(nnx.state(network)) != header["sha256"]:
        raise InputError(f"{path} is damaged: its weights are not those that were written. Run train-features again")
    return Classifier(network, Normalisation(*header["normalisation"]), header["facts"])


def _read_header(path: Path, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    try:
        header = json.loads(str(arrays[_FACTS]))
        found = header.get("format")
        if found == FORMAT and not header.keys() >= {"sample_shape", "classes", "normalisation", "facts", "sha256"}:
            raise ValueError("entries are missing")
    except (ValueError, AttributeError) as error:
        raise InputError(f"{path} is damaged: its facts cannot be read ({first_line(error)})") from None
    if found != FORMAT:
        raise InputError(f"{path} has the format {found!r}; this version reads {FORMAT!r}")
    return header


def is_classifier(arrays: dict[str, np.ndarray]) -> bool:
    """Whether a file's arrays are those of a classifier."""
    return _FACTS in arrays


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """All arrays of a .npz file of numbers and text."""
    if not path.is_file():
        raise InputError(
            f"`features` must be a .npz file of `fastrrae train-features` or of Inception's weights; {path} is not"
        )
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except _UNREADABLE as error:
        raise InputError(f"{path} is not a readable .npz file of numbers: {first_line(error)}") from None
