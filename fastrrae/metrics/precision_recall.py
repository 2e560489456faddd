"""Precision and recall of a set of samples, by the histograms of clusters of its features."""

import warnings
from typing import Any, NamedTuple

import numpy as np

from ..errors import InputError

CLUSTERS = 20
_BETA = 8.0


class PrecisionRecall(NamedTuple):
    """Two numbers for the curve, both from 0 to 1."""

    precision: float  # F_1/8: how much of the samples lies where there is data
    recall: float  # F_8: how much of the data is reached by samples


def precision_recall(
    features: np.ndarray,
    reference: np.ndarray,
    *,
    clusters: int = CLUSTERS,
    angles: int = 1001,
    runs: int = 10,
    seed: int = 0,
) -> PrecisionRecall:
    """Precision and recall of samples with `features` against data with features `reference` (Sajjadi et al. 2018).

    Both sets together are cut into clusters by k-means; the two histograms over clusters, as distributions, give a
    curve of precision and recall, of which F_1/8 and F_8 are the largest. Curves are averaged over `runs` of k-means.
    The larger set is cut down at random to the size of the smaller one, as the authors ask for equal numbers.
    """
    rng = np.random.default_rng(seed)
    size = min(len(features), len(reference))
    if size < clusters:
        raise InputError(f"each set must have at least as many features as there are clusters, {clusters}; got {size}")
    sets = [values[np.sort(rng.choice(len(values), size, replace=False))] for values in (features, reference)]
    together = np.asarray(np.concatenate(sets), np.float64)
    curves = []
    for run in range(runs):
        labels = _cluster(together, clusters, seed + run)
        histograms = [np.bincount(part, minlength=clusters) / size for part in (labels[:size], labels[size:])]
        curves.append(precision_recall_curve(histograms[0], histograms[1], angles))
    precision, recall = np.mean(curves, axis=0)
    return PrecisionRecall(_best_f(precision, recall, 1 / _BETA), _best_f(precision, recall, _BETA))


def precision_recall_curve(model: np.ndarray, data: np.ndarray, angles: int = 1001) -> np.ndarray:
    """Precision and recall, (2, angles), of one discrete distribution against another.

    For slopes `l = tan(angle)`: precision `sum_i min(l data_i, model_i)`, recall `sum_i min(data_i, model_i / l)`.
    """
    edge = 1e-10
    slopes = np.tan(np.linspace(edge, np.pi / 2 - edge, angles))
    precision = np.minimum(slopes[:, None] * data, model).sum(axis=1)
    return np.clip([precision, precision / slopes], 0, 1)


def _best_f(precision: np.ndarray, recall: np.ndarray, beta: float) -> float:
    weighted = beta**2 * precision + recall
    return float(np.max((1 + beta**2) * precision * recall / np.where(weighted > 0, weighted, 1)))


def _cluster(values: np.ndarray, clusters: int, seed: int) -> np.ndarray:
    from sklearn.cluster import MiniBatchKMeans  # a second to import
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    starts: Any = 3  # of which the best is taken; the authors' 10 take three times as long and vary nearly as much
    # Small batches on several threads spend their time waiting for each other: 2.5 times as long on two idle cores, and
    # a hundred times where the cores have other work.
    with warnings.catch_warnings(), threadpool_limits(1, user_api="openmp"):
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct points than clusters
        return np.asarray(MiniBatchKMeans(clusters, n_init=starts, random_state=seed).fit(values).labels_)
