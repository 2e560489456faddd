"""The second stage draws what one Gaussian cannot."""

import numpy as np

from fastrrae.densities import MultivariateNormal, SecondStage


def ring(count, seed=0):
    """Points near a circle of radius 3 around (10, 0), in units of 100 along the second axis."""
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, 2 * np.pi, count)
    radius = 3 + 0.1 * rng.standard_normal(count)
    return np.stack([10 + radius * np.cos(angle), 100 * radius * np.sin(angle)], axis=1)


def radii(points):
    return np.hypot(points[:, 0] - 10, points[:, 1] / 100)


def test_a_ring():
    data = ring(2000)
    density = SecondStage.fit(data, seed=1)
    draws = density.sample(4000, seed=2)
    assert draws.shape == (4000, 2)
    assert draws.dtype == np.float32
    assert np.all(np.abs(draws.mean(0) - data.mean(0)) < 0.15 * data.std(0))
    np.testing.assert_allclose(draws.std(0), data.std(0), rtol=0.15)
    near = np.mean(np.abs(radii(draws) - 3) < 0.6)
    of_one_gaussian = np.mean(np.abs(radii(MultivariateNormal.fit(data).sample(4000, 2)) - 3) < 0.6)
    assert near > 0.75 > 2 * of_one_gaussian
    np.testing.assert_array_equal(SecondStage.fit(data, seed=1).sample(50, seed=2), density.sample(50, seed=2))


def test_constant_coefficients_stay_as_they_are():
    data = np.concatenate([ring(300), np.zeros((300, 1))], axis=1)
    draws = SecondStage.fit(data).sample(10, seed=0)
    assert not np.any(draws[:, 2])
    assert np.all(np.isfinite(draws))
