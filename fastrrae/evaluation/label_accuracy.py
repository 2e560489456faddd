"""How much coefficients say of the labels: by a linear classifier, and by the nearest neighbours."""

import warnings

import numpy as np

from ..data import Dataset
from ..data.splits import select
from ..models.inference import infer
from ..run import Run
from .principal_components import PrincipalComponents
from .results import LabelAccuracy

MOST_SAMPLES = 20_000  # that a classifier is fitted on, and tested on
NEIGHBOURS = 10


def label_accuracies(run: Run, dataset: Dataset, components: PrincipalComponents) -> dict[str, LabelAccuracy]:
    """Of the run's coefficients, and of as many principal components, on the main test set; nothing without labels."""
    main = next(iter(dataset.tests))
    if not {"train", main} <= dataset.labels.keys():
        return {}
    train, test = (
        select(samples, np.arange(min(MOST_SAMPLES, len(samples)))) for samples in (dataset.train, dataset.test)
    )
    labels = dataset.labels["train"][:MOST_SAMPLES], dataset.labels[main][:MOST_SAMPLES]
    if len(np.unique(labels[0])) < 2:
        return {}
    codes = {
        "coefficients": (
            run.training_coefficients[:MOST_SAMPLES],
            infer(run.model, "coefficients", test, prepare=run.normalisation.apply),
        ),
        "principal components": (components.codes(train), components.codes(test)),
    }
    return {name: label_accuracy(pair, labels) for name, pair in codes.items()}


def label_accuracy(codes: tuple[np.ndarray, np.ndarray], labels: tuple[np.ndarray, np.ndarray]) -> LabelAccuracy:
    """Shares, in per cent, of test labels that classifiers of standardised codes (count, rank) get right.

    Args:
        codes: codes of the training and of the test set.
        labels: likewise.
    """
    from sklearn.exceptions import ConvergenceWarning  # a second, which other evaluations need not take
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    neighbours = min(NEIGHBOURS, len(codes[0]))
    classifiers = LogisticRegression(max_iter=300), KNeighborsClassifier(neighbours)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # accuracy settles long before the weights do
        linear, nearest = (
            100 * make_pipeline(StandardScaler(), classifier).fit(codes[0], labels[0]).score(codes[1], labels[1])
            for classifier in classifiers
        )
    return LabelAccuracy(float(linear), float(nearest))
