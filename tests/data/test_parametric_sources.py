"""Pulse and diffusion: they solve their equations, and their parameters fill the box."""

import numpy as np
import pytest

from fastrrae import DataConfig, load_dataset
from fastrrae.data import diffusion, pulse
from fastrrae.data.parameter_design import even_design
from fastrrae.surrogates.convex_hull import in_convex_hull


@pytest.mark.parametrize(
    ("source", "module", "shape"), [("pulse", pulse, (128, 1)), ("diffusion", diffusion, (32, 32, 1))]
)
def test_parameters_fill_the_box(source, module, shape):
    dataset = load_dataset(DataConfig(source))
    assert dataset.sample_shape == shape
    assert dataset.parameter_names == tuple(module.RANGES)
    low, high = np.array(list(module.RANGES.values())).T
    train, test = dataset.parameters["train"], dataset.parameters["test"]
    assert (train.shape, test.shape) == ((module.TRAIN_COUNT, len(low)), (module.TEST_COUNT, len(low)))
    np.testing.assert_allclose(train.min(axis=0), low)
    np.testing.assert_allclose(train.max(axis=0), high)
    assert len(np.unique(train, axis=0)) == len(train)
    assert in_convex_hull((test - low) / (high - low), (train - low) / (high - low)).all()
    assert dataset.fingerprint == load_dataset(DataConfig(source)).fingerprint


def test_an_even_design_has_its_corners_first():
    design = even_design({"a": (0.0, 2.0), "b": (10.0, 20.0)}, 50)
    assert design[:4].tolist() == [[0, 10], [0, 20], [2, 10], [2, 20]]
    quarters = np.histogram2d(*design[4:].T, bins=2, range=[[0, 2], [10, 20]])[0]
    assert quarters.min() >= 10


def test_pulses_move_at_their_speed():
    speeds = np.array([0.0, 0.1, 0.35])
    fields = pulse.pulses(np.stack([speeds, np.full(3, 0.03)], axis=1), points=1001)[..., 0]
    np.testing.assert_allclose(np.argmax(fields, axis=1) / 1000, pulse.START + speeds, atol=1e-3)
    np.testing.assert_allclose(fields[1], np.roll(fields[0], 100), atol=1e-6)
    half = np.sqrt(2 * np.log(2)) * 0.03  # where a Gaussian has half of its height
    np.testing.assert_allclose(np.interp(pulse.START + half, np.linspace(0, 1, 1001), fields[0]), 0.5, atol=1e-3)


def test_concentrations_solve_the_diffusion_equation():
    p = np.array([[0.3, 0.65, 0.01]])
    side, step = 64, 1e-5
    before, now, after = (
        diffusion.concentrations(p + np.array([0, 0, dt]), side)[0, ..., 0] for dt in (-step, 0, step)
    )
    # In the middle, by differences; at the walls, nothing passes: the amount stays 1.
    laplacian = sum(np.roll(now, shift, axis) for shift in (1, -1) for axis in (0, 1)) - 4 * now
    rate = (after - before) / (2 * step)
    inside = np.s_[2:-2, 2:-2]
    np.testing.assert_allclose(rate[inside], (laplacian * side**2)[inside], atol=0.02 * np.abs(rate).max())
    late = diffusion.concentrations(np.array([[0.2, 0.8, 0.05], [0.3, 0.65, 0.01]]), side)
    np.testing.assert_allclose(late.mean(axis=(1, 2, 3)), 1, atol=1e-5)
    row, column = np.unravel_index(now.argmax(), now.shape)
    np.testing.assert_allclose([(column + 0.5) / side, (row + 0.5) / side], p[0, :2], atol=1 / side)
