"""The classifier that an evaluation uses where none is named: trained once for a data set, kept in the user's cache."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ..cache_folder import cache_folder
from ..data import Dataset
from ..errors import InputError, first_line
from .classifier import Classifier
from .load import load_features
from .storage import FORMAT, save_classifier
from .train import FeatureTraining, train_features


def default_features(dataset: Dataset, name: str, report: Callable[[str], None] = print) -> Classifier | None:
    """The classifier of the labels of `dataset`, from the cache or trained now; None where it has no labels.

    A cache that cannot be read or written costs the time of another training, and is reported.
    """
    if "train" not in dataset.labels or next(iter(dataset.tests)) not in dataset.labels:
        return None
    options = FeatureTraining()
    folder = cache_folder("features")
    path = folder and folder / f"{_file_name(name)}-{_key(dataset, options)}.npz"
    found = path and _cached(path, report)
    if found:
        return found
    report(f"training a classifier of {name} for features (once)")
    classifier = train_features(dataset, name, options)
    report(f"its test accuracy is {100 * classifier.facts['test_accuracy']:.2f} %; {_keep(path, classifier)}")
    return classifier


def _cached(path: Path, report: Callable[[str], None]) -> Classifier | None:
    try:
        found = load_features(path) if path.is_file() else None
    except (InputError, OSError) as error:
        report(f"{first_line(error)}; it is made again")
        return None
    return found if isinstance(found, Classifier) else None


def _keep(path: Path | None, classifier: Classifier) -> str:
    """Save it, and say where it is kept."""
    if path is None:
        return "kept in memory alone, since there is no cache folder that can be written to"
    try:
        save_classifier(path, classifier)
    except OSError as error:
        return f"kept in memory alone, since {path} cannot be written ({error.strerror or first_line(error)})"
    return f"kept in {path}"


def _file_name(name: str) -> str:
    """`name` without what cannot be in the name of a file."""
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in name)[:80]


def _key(dataset: Dataset, options: FeatureTraining) -> str:
    """Names everything that determines the classifier but the machine: options, training set, labels."""
    settings = [FORMAT, asdict(options), dataset.normalisation.as_json(), list(dataset.sample_shape)]
    hasher = hashlib.sha256(json.dumps(settings).encode())
    hasher.update(dataset.fingerprint.encode())
    hasher.update(np.ascontiguousarray(dataset.labels["train"], np.int64).data)
    return hasher.hexdigest()[:16]
