"""How well components of a latent space coincide with labels that the model has not seen."""

import numpy as np


def clustering_accuracy(clusters: np.ndarray, labels: np.ndarray) -> float:
    """The share of samples whose label is that of their cluster, under the best one-to-one matching of the two.

    Args:
        clusters: (count,) integers from 0, in any order.
        labels: (count,) integers from 0.

    The matching is the Hungarian method's (Kuhn 1955); clusters beyond the number of labels match none.
    """
    from scipy.optimize import linear_sum_assignment

    clusters, labels = np.asarray(clusters), np.asarray(labels)
    table = np.zeros((clusters.max() + 1, labels.max() + 1), int)
    np.add.at(table, (clusters, labels), 1)
    rows, columns = linear_sum_assignment(table, maximize=True)
    return float(table[rows, columns].sum() / len(labels))


def cluster_by_k_means(samples: np.ndarray, clusters: int, seed: int = 0) -> np.ndarray:
    """The cluster (count,) of each of (count, *sample_shape) by k-means on its values, the best of ten starts."""
    from sklearn.cluster import KMeans  # a second to import

    rows = np.asarray(samples, np.float32).reshape(len(samples), -1)
    means = KMeans(clusters, n_init=10, random_state=seed)  # pyright: ignore[reportArgumentType]
    return means.fit_predict(rows)
