"""Densities recover what they were fitted on."""

import numpy as np
import pytest

from fastrrae import InputError
from fastrrae.densities import GaussianMixture, MultivariateNormal
from fastrrae.models.priors import StandardNormal


def test_a_mixture_reproduces_its_modes():
    rng = np.random.default_rng(0)
    centres = np.array([[-5.0, 0.0], [5.0, 2.0]])
    data = np.concatenate([c + rng.standard_normal((500, 2)) @ np.diag([1.0, 0.1]) for c in centres])
    draws = GaussianMixture.fit(data, 2).sample(4000, seed=1)
    for centre in centres:
        near = draws[np.linalg.norm(draws - centre, axis=1) < 5]
        np.testing.assert_allclose(len(near) / 4000, 0.5, atol=0.05)
        np.testing.assert_allclose(near.mean(0), centre, atol=0.15)
        np.testing.assert_allclose(near.std(0), [1.0, 0.1], rtol=0.15)


@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_any_scale_of_coefficients(scale):
    data = np.random.default_rng(0).standard_normal((300, 3)) * scale
    np.testing.assert_allclose(GaussianMixture.fit(data, 3).sample(5000, 0).std(0), scale, rtol=0.2)


def test_fewer_samples_than_components_and_constant_coefficients():
    assert GaussianMixture.fit(np.zeros((3, 2)), 10).sample(4, 0).shape == (4, 2)
    with pytest.raises(InputError, match="at least 1; got 0"):
        GaussianMixture.fit(np.zeros((3, 2)), 0)


def test_standard_normal():
    draws = StandardNormal(3).sample(10_000, seed=2)
    np.testing.assert_allclose(draws.std(0), 1, atol=0.05)
    np.testing.assert_array_equal(draws, StandardNormal(3).sample(10_000, seed=2))


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_one_gaussian_has_the_moments_of_its_data(scale):
    rng = np.random.default_rng(0)
    data = (rng.standard_normal((5000, 3)) @ rng.standard_normal((3, 3)) + 4) * scale
    draws = MultivariateNormal.fit(data).sample(100_000, seed=1).astype(np.float64)
    np.testing.assert_allclose(draws.mean(0), data.mean(0), atol=0.05 * scale)
    np.testing.assert_allclose(np.cov(draws.T), np.cov(data.T), rtol=0.05, atol=0.05 * scale**2)


def test_one_gaussian_of_coordinates_that_repeat_or_are_one():
    x = np.random.default_rng(0).standard_normal((500, 1))
    draws = MultivariateNormal.fit(np.concatenate([x, 2 * x], axis=1)).sample(100, 0)
    np.testing.assert_allclose(draws[:, 1], 2 * draws[:, 0], atol=1e-5)
    assert MultivariateNormal.fit(x).sample(7, 0).shape == (7, 1)
