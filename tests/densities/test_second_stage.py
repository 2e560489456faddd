"""The second stage draws what one Gaussian cannot."""

import numpy as np
import pytest

from fastrrae.densities import MultivariateNormal, SecondStage, second_stage


def ring(count, seed=0):
    """Points near a circle of radius 3 around (10, 0), in units of 100 along the second axis."""
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, 2 * np.pi, count)
    radius = 3 + 0.1 * rng.standard_normal(count)
    return np.stack([10 + radius * np.cos(angle), 100 * radius * np.sin(angle)], axis=1)


def radii(points):
    return np.hypot(points[:, 0] - 10, points[:, 1] / 100)


@pytest.fixture
def briefly(monkeypatch):
    """Where it does not matter how well the network is trained."""
    monkeypatch.setattr(second_stage, "STEPS", 50)


@pytest.mark.slow
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


def test_the_same_seed_gives_the_same_draws(briefly):
    draws = [SecondStage.fit(ring(300), seed=seed).sample(50, seed=2) for seed in (1, 1, 3)]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert not np.allclose(draws[0], draws[2])


def test_constant_coefficients_stay_as_they_are(briefly):
    data = np.concatenate([ring(300), np.zeros((300, 1))], axis=1)
    draws = SecondStage.fit(data).sample(10, seed=0)
    assert not np.any(draws[:, 2])
    assert np.all(np.isfinite(draws))
