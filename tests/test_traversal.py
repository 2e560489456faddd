"""Walks along one coefficient."""

import numpy as np
import pytest

from fastrrae import InputError
from fastrrae.traversal import coefficient_ranges, points_along


def test_nineteen_of_twenty_samples_are_in_the_range():
    coefficients = np.random.default_rng(0).standard_normal((4000, 3)) * [1, 10, 0.1] + [0, 5, 0]
    low, high = coefficient_ranges(coefficients).T
    inside = ((coefficients >= low) & (coefficients <= high)).mean(axis=0)
    np.testing.assert_allclose(inside, 0.95, atol=1e-3)
    np.testing.assert_allclose((high - low) / [1, 10, 0.1], 2 * 1.96, rtol=0.1)


def test_only_one_coefficient_changes_evenly_over_its_range():
    start, ranges = np.array([0.5, 1.0, -2.0]), np.array([[0, 1], [-3, 5], [0, 1]])
    points = points_along(start, 1, ranges, 5)
    np.testing.assert_allclose(points[:, 1], [-3, -1, 1, 3, 5])
    np.testing.assert_array_equal(points[:, [0, 2]], np.broadcast_to(start[[0, 2]], (5, 2)))
    assert points.dtype == np.float32


@pytest.mark.parametrize("coefficient", [-1, 3])
def test_a_coefficient_that_does_not_exist(coefficient):
    with pytest.raises(InputError, match=f"`coefficient` must be from 0 to 2, for a rank of 3; got {coefficient}"):
        points_along(np.zeros(3), coefficient, np.zeros((3, 2)), 5)
