"""Clustering accuracy against all permutations."""

import itertools

import numpy as np
import pytest

from fastrrae.metrics import cluster_by_k_means, clustering_accuracy


@pytest.mark.parametrize("seed", range(5))
def test_the_best_of_all_matchings(seed):
    rng = np.random.default_rng(seed)
    clusters, labels = rng.integers(0, 4, 60), rng.integers(0, 4, 60)
    best = max(np.mean(np.array(order)[clusters] == labels) for order in itertools.permutations(range(4)))
    assert clustering_accuracy(clusters, labels) == pytest.approx(best)


def test_names_of_clusters_do_not_matter_and_spare_ones_match_nothing():
    labels = np.array([0, 0, 1, 1, 2, 2])
    assert clustering_accuracy(np.array([2, 2, 0, 0, 1, 1]), labels) == 1
    assert clustering_accuracy(np.array([0, 0, 1, 1, 2, 3]), labels) == pytest.approx(5 / 6)
    assert clustering_accuracy(np.zeros(6, int), labels) == pytest.approx(1 / 3)


def test_k_means_finds_what_is_far_apart():
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=90)
    images = rng.standard_normal((90, 2, 2, 1)) + 20 * labels[:, None, None, None]
    assert clustering_accuracy(cluster_by_k_means(images, 3), labels) == 1
