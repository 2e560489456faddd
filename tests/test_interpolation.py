"""Paths between coefficients, and the pairs that they join."""

import numpy as np
import pytest

from fastrrae import InputError
from fastrrae.interpolation import distant_pairs, interpolate, points_between, random_pairs


def test_straight_paths_keep_their_ends():
    path = interpolate(np.array([0.0, 2.0]), np.array([4.0, -2.0]), 5)
    np.testing.assert_allclose(path, [[0, 2], [1, 1], [2, 0], [3, -1], [4, -2]])


def test_spherical_paths_keep_ends_lengths_and_angles():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 6, 5))
    a, b = (3 * x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))
    path = interpolate(a, b, 7, "spherical")
    assert path.shape == (6, 7, 5)
    np.testing.assert_allclose(path[:, 0], a, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(path[:, -1], b, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(path, axis=-1), 3, rtol=1e-5)
    cosines = np.sum(path[:, 1:] * path[:, :-1], axis=-1) / 9
    np.testing.assert_allclose(cosines, np.broadcast_to(cosines[:, :1], cosines.shape), rtol=1e-4)


@pytest.mark.parametrize("end", [[2.0, 0.0], [-1.0, 0.0], [0.0, 0.0]])
def test_spherical_paths_between_ends_on_one_line_are_straight(end):
    path = points_between(np.array([1.0, 0.0]), np.array(end), np.array([0.25, 0.5]), "spherical")
    np.testing.assert_allclose(path, [[1 + 0.25 * (end[0] - 1), 0], [1 + 0.5 * (end[0] - 1), 0]], atol=1e-6)


def test_random_pairs_are_of_different_samples_and_repeatable():
    pairs = random_pairs(5, 1000, seed=1)
    assert pairs.shape == (1000, 2)
    assert (pairs[:, 0] != pairs[:, 1]).all()
    assert set(pairs.ravel()) == set(range(5))
    np.testing.assert_array_equal(pairs, random_pairs(5, 1000, seed=1))


def test_distant_pairs_are_far_apart_and_disjoint():
    coefficients = np.array([[0.0], [10.0], [1.0], [9.0], [5.0]])
    assert distant_pairs(coefficients, 3) == [(0, 1), (2, 3)]


def test_an_unknown_path_is_refused():
    with pytest.raises(InputError, match="`method` must be linear or spherical; got 'cubic'"):
        interpolate(np.zeros(2), np.ones(2), 3, "cubic")  # pyright: ignore[reportArgumentType]
