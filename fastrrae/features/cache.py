"""The classifier that an evaluation uses where none is named: trained once for a data set, kept in the user's cache."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict

import numpy as np

from ..cache_folder import cache_folder
from ..data import Dataset
from ..errors import InputError
from .classifier import Classifier
from .load import load_features
from .storage import FORMAT, save_classifier
from .train import FeatureTraining, train_features


def default_features(dataset: Dataset, name: str, report: Callable[[str], None] = print) -> Classifier | None:
    """The classifier of the labels of `dataset`, from the cache or trained now; None where it has no labels."""
    if "train" not in dataset.labels or next(iter(dataset.tests)) not in dataset.labels:
        return None
    options = FeatureTraining()
    folder = cache_folder("features")
    path = folder and folder / f"{name}-{_key(dataset, options)}.npz"
    if path is not None and path.is_file():
        try:
            found = load_features(path)
            if isinstance(found, Classifier):
                return found
        except InputError as error:
            report(f"{error}; it is made again")
    report(f"training a classifier of {name} for features (once)")
    classifier = train_features(dataset, name, options)
    if path is not None:
        save_classifier(path, classifier)
    report(f"its test accuracy is {100 * classifier.facts['test_accuracy']:.2f} %; kept in {path or 'memory'}")
    return classifier


def _key(dataset: Dataset, options: FeatureTraining) -> str:
    """Names everything that determines the classifier but the machine: options, training set, labels."""
    settings = [FORMAT, asdict(options), asdict(dataset.normalisation), list(dataset.sample_shape)]
    hasher = hashlib.sha256(json.dumps(settings).encode())
    hasher.update(dataset.fingerprint.encode() or np.ascontiguousarray(dataset.train).data)
    hasher.update(np.ascontiguousarray(dataset.labels["train"], np.int64).data)
    return hasher.hexdigest()[:16]
