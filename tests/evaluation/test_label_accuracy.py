"""Labels are found from codes that hold them, and from no others."""

import numpy as np
import pytest

from fastrrae.evaluation.label_accuracy import label_accuracy


def codes_of(labels, seed):
    """Three classes: the first coordinate tells class 0 from the others, the radius in the others tells 1 from 2."""
    rng = np.random.default_rng(seed)
    angle, radius = rng.uniform(0, 2 * np.pi, len(labels)), np.where(labels == 1, 1.0, 3.0)
    ring = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return np.concatenate([np.where(labels == 0, 5.0, -5.0)[:, None], ring], axis=1)


def test_what_a_line_can_tell_and_what_only_neighbours_can():
    labels = np.arange(600) % 3
    found = label_accuracy((codes_of(labels, 0), codes_of(labels, 1)), (labels, labels))
    assert found.nearest == pytest.approx(100, abs=1)
    assert 60 < found.linear < 85  # a third is sure, and a coin decides on the others


def test_noise_tells_nothing():
    rng, labels = np.random.default_rng(0), np.arange(600) % 3
    found = label_accuracy((rng.standard_normal((600, 4)), rng.standard_normal((600, 4))), (labels, labels))
    assert abs(found.linear - 100 / 3) < 8
    assert abs(found.nearest - 100 / 3) < 8
