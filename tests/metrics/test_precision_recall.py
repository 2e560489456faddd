"""Precision and recall: the curve against its definition, and sets of which both are known."""

import numpy as np
import pytest

from fastrrae import InputError
from fastrrae.metrics import precision_recall
from fastrrae.metrics.precision_recall import precision_recall_curve


def islands(which, count, seed):
    """Points around some of ten places far from each other."""
    rng = np.random.default_rng(seed)
    places = 100 * np.random.default_rng(0).standard_normal((10, 4))
    return places[rng.choice(which, count)] + rng.standard_normal((count, 4))


def test_the_curve_is_its_definition():
    model, data = np.array([0.5, 0.5, 0.0]), np.array([0.25, 0.25, 0.5])
    curve = precision_recall_curve(model, data, 11)
    for angle, precision, recall in zip(np.linspace(1e-10, np.pi / 2 - 1e-10, 11), *curve, strict=True):
        slope = np.tan(angle)
        assert precision == pytest.approx(sum(min(slope * q, p) for p, q in zip(model, data, strict=True)))
        assert recall == pytest.approx(sum(min(q, p / slope) for p, q in zip(model, data, strict=True)))
    assert curve[0].max() == pytest.approx(1)  # nothing outside the data
    assert curve[1].max() == pytest.approx(0.5)  # half of it is missed


def test_missing_modes_cost_recall_and_invented_ones_precision():
    data = islands(range(8), 800, 1)
    half = precision_recall(islands(range(4), 800, 2), data)
    assert half.precision > 0.95
    assert half.recall < 0.65
    beyond = precision_recall(islands(range(10), 800, 3), islands(range(5), 800, 4))
    assert beyond.recall > 0.95
    assert beyond.precision < 0.65


def test_the_same_distribution_and_a_strange_one():
    same = precision_recall(islands(range(10), 1200, 1), islands(range(10), 800, 2))
    assert min(same) > 0.95
    strange = precision_recall(islands(range(5), 400, 1), islands(range(5, 10), 400, 2))
    assert max(strange) < 0.01


def test_it_repeats_itself_and_needs_enough():
    data = islands(range(10), 300, 1)
    assert precision_recall(data[:200], data, seed=3) == precision_recall(data[:200], data, seed=3)
    with pytest.raises(InputError, match="as there are clusters, 20; got 19"):
        precision_recall(data[:19], data)
