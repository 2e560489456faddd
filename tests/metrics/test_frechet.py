"""The Fréchet distance against closed forms."""

import numpy as np
import pytest
import scipy.linalg

from fastrrae import InputError
from fastrrae.metrics import Moments, frechet_distance, moments


def random_covariance(rng, n, rank=None):
    factor = rng.standard_normal((n, rank or n))
    return factor @ factor.T


def test_moments_are_those_of_numpy():
    features = np.random.default_rng(0).standard_normal((9000, 5)).astype(np.float32) + 100
    found = moments(features)
    np.testing.assert_allclose(found.mean, features.mean(0, dtype=np.float64))
    np.testing.assert_allclose(
        found.covariance, np.cov(features.astype(np.float64), rowvar=False), rtol=1e-10, atol=1e-12
    )
    assert (found.count, found.singular) == (9000, False)


def test_distance_by_the_root_of_the_product():
    rng = np.random.default_rng(0)
    a, b = (Moments(99, rng.standard_normal(12), random_covariance(rng, 12)) for _ in range(2))
    root = np.real(scipy.linalg.sqrtm(a.covariance @ b.covariance))
    expected = np.sum((a.mean - b.mean) ** 2) + np.trace(a.covariance + b.covariance - 2 * root)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-12)


def test_distance_of_commuting_gaussians():
    """Diagonal covariances: the sum of squared differences of means and of deviations."""
    rng = np.random.default_rng(1)
    means, deviations = rng.standard_normal((2, 30)), rng.uniform(0, 3, (2, 30))
    deviations[0, :10] = 0  # of lower rank
    a, b = (Moments(9, mean, np.diag(deviation**2)) for mean, deviation in zip(means, deviations, strict=True))
    expected = np.sum((means[0] - means[1]) ** 2) + np.sum((deviations[0] - deviations[1]) ** 2)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)


def test_samples_of_known_gaussians():
    """From 200,000 draws the distance comes out within its sampling error."""
    rng = np.random.default_rng(2)
    a = rng.standard_normal((200_000, 4))
    b = 1 + 2 * rng.standard_normal((200_000, 4))
    assert frechet_distance(moments(a), moments(b)) == pytest.approx(4 * 1 + 4 * 1, rel=0.02)


def test_fewer_samples_than_dimensions():
    """Finite, symmetric, zero for the same set, and the exact value for covariances of low rank; and it says so."""
    rng = np.random.default_rng(3)
    a, b = rng.standard_normal((20, 50)), rng.standard_normal((30, 50))
    of_a, of_b = moments(a), moments(b)
    assert of_a.singular
    assert of_b.singular
    centred = [(x - x.mean(0)) / np.sqrt(len(x) - 1) for x in (a, b)]
    overlap = np.linalg.svd(centred[0] @ centred[1].T, compute_uv=False).sum()
    expected = np.sum((a.mean(0) - b.mean(0)) ** 2) + sum((c**2).sum() for c in centred) - 2 * overlap
    assert frechet_distance(of_a, of_b) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(of_a, of_a) == pytest.approx(0, abs=1e-8)


@pytest.mark.slow
def test_thousands_of_features_of_2048_dimensions():
    rng = np.random.default_rng(4)
    mixing = rng.standard_normal((2048, 2048)).astype(np.float32) / 45
    a, b = (rng.standard_normal((3000, 2048)).astype(np.float32) @ mixing for _ in range(2))
    distance = frechet_distance(moments(a), moments(b + 1))
    unshifted = frechet_distance(moments(a), moments(b))
    assert distance - unshifted == pytest.approx(2048, rel=0.05)


def test_bad_features_are_named():
    with pytest.raises(InputError, match=r"count of at least 2; got \(1, 5\)"):
        moments(np.zeros((1, 5)))
    with pytest.raises(InputError, match="same dimensions; got 3 and 4"):
        frechet_distance(moments(np.eye(3)), moments(np.eye(4)))
