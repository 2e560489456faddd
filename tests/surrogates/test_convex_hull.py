"""The hull of training parameters: in any dimension, flat or not; and what is said of points outside."""

import warnings

import numpy as np
import pytest

from fastrrae import InputError
from fastrrae.surrogates import ExtrapolationWarning
from fastrrae.surrogates import convex_hull as convex_hull_module
from fastrrae.surrogates.convex_hull import in_convex_hull
from fastrrae.surrogates.parameter_space import ParameterSpace


@pytest.mark.parametrize("dimensions", [1, 2, 3, 4, 5, 6])
def test_means_are_inside_and_reflections_outside(dimensions):
    rng = np.random.default_rng(0)
    points = rng.uniform(size=(40, dimensions))
    inside = rng.dirichlet(np.ones(40), 20) @ points
    assert in_convex_hull(inside, points).all()
    assert in_convex_hull(points, points).all()
    # Beyond the farthest training point in a direction, nothing is a mean of training points.
    directions = rng.standard_normal((20, dimensions))
    farthest = points[np.argmax(directions @ points.T, axis=1)]
    assert not in_convex_hull(farthest + 1e-3 * directions, points).any()


def test_facets_and_linear_programs_agree(monkeypatch):
    rng = np.random.default_rng(0)
    points, others = rng.uniform(size=(30, 3)), rng.uniform(size=(60, 3))
    by_facets = in_convex_hull(others, points)
    monkeypatch.setattr(convex_hull_module, "MOST_DIMENSIONS", 0)
    np.testing.assert_array_equal(in_convex_hull(others, points), by_facets)
    assert 5 < by_facets.sum() < 55


def test_points_on_a_line_in_a_plane():
    along = np.linspace(0, 1, 10)[:, None] * [1.0, 2.0, 0.0]
    others = np.array([[0.5, 1.0, 0.0], [0.5, 1.1, 0.0], [0.5, 1.0, 0.1], [1.1, 2.2, 0.0]])
    assert in_convex_hull(others, along).tolist() == [True, False, False, False]


def test_points_that_are_nearly_flat():
    rng = np.random.default_rng(0)
    points = np.stack([rng.uniform(size=50), rng.uniform(size=50), 1e-7 * rng.uniform(size=50)], axis=1)
    assert in_convex_hull(points.mean(axis=0)[None], points).all()


def test_more_points_than_a_block():
    rng = np.random.default_rng(0)
    points, others = rng.uniform(size=(30, 2)), rng.uniform(size=(2 * convex_hull_module.BLOCK + 7, 2))
    found = in_convex_hull(others, points)
    np.testing.assert_array_equal(found[-50:], in_convex_hull(others[-50:], points))
    assert in_convex_hull(np.zeros((0, 2)), points).shape == (0,)


SPACE = ParameterSpace(("speed", "width"), np.array([[0, 10.0], [1, 10], [0, 20]]))  # a triangle


def test_a_warning_names_what_is_beyond():
    with pytest.warns(ExtrapolationWarning, match=r"1 of 2 rows of parameters \(row 1\).*: speed beyond \[0, 1\]$"):
        SPACE.warn_outside(np.array([[0.1, 11], [1.2, 11]]))
    with pytest.warns(ExtrapolationWarning, match=r"a combination of speed, width that is none of theirs"):
        SPACE.warn_outside(np.array([[0.9, 19]]))
    with pytest.warns(ExtrapolationWarning, match=r"9 of 9 .*\(row 0, 1, 2, 3, 4, ...\).*speed .*; width beyond"):
        SPACE.warn_outside(np.array([[2.0, 30]] * 9))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        SPACE.warn_outside(SPACE.training)


def test_parameters_that_are_refused():
    for parameters, message in (
        ([[1, 2, 3]], r"must have shape \(count, 2\), for speed, width; got \(1, 3\)"),
        ([[1, np.nan]], "must be finite; row 0 is"),
        ([["a", "b"]], "must be numbers"),
        (3.0, r"must have shape \(count, 2\)"),
        (np.zeros((2, 2, 2)), r"must have shape \(count, 2\)"),
    ):
        with pytest.raises(InputError, match=message):
            SPACE.rows(parameters)
    with pytest.raises(InputError, match="those of sample 1 are not"):
        ParameterSpace((), np.array([[0.0], [np.inf]]))
    with pytest.raises(InputError, match="two samples at least"):
        ParameterSpace((), np.array([[0.0]]))
    assert ParameterSpace((), np.zeros((3, 2))).names == ("parameter 1", "parameter 2")
