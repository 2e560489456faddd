"""The error of generated bumps against SciPy's optimiser."""

import numpy as np
import pytest
import scipy.optimize

from fastrrae.data.gaussians import bumps
from fastrrae.evaluation.generation_error import fit_centres, generation_errors


def test_true_bumps_have_no_error():
    centres = np.random.default_rng(0).uniform(-0.9, 0.9, (40, 2))
    images = bumps(centres)
    np.testing.assert_allclose(fit_centres(images[..., 0].astype(np.float64)), centres, atol=1e-6)
    assert generation_errors(images).max() < 1e-3


def test_damaged_bumps_as_scipy_fits_them():
    rng = np.random.default_rng(1)
    centres = rng.uniform(-0.6, 0.6, (12, 2))
    images = bumps(centres).astype(np.float64)
    images[:4] += 0.3 * rng.standard_normal(images[:4].shape)
    images[4:8] *= rng.uniform(0.3, 2, (4, 1, 1, 1))
    images[8:] = 0.6 * images[8:] + 0.5 * bumps(centres[8:] + 0.2)
    found = fit_centres(images[..., 0])
    for image, centre, error in zip(images, found, generation_errors(images), strict=True):

        def residual(c, image=image):
            return (image - bumps(c[None])[0]).ravel()

        starts = [centre, centre + 0.1, centre - 0.1]
        best = min(
            (scipy.optimize.least_squares(residual, start, x_scale=0.1) for start in starts), key=lambda r: r.cost
        )
        assert np.sum(residual(centre) ** 2) <= 2 * best.cost * (1 + 1e-6)
        bump = np.linalg.norm(bumps(centre[None]))
        assert error == pytest.approx(100 * np.linalg.norm(residual(centre)) / bump, rel=1e-4)


def test_nothing_is_as_far_as_can_be():
    assert generation_errors(np.zeros((2, 64, 64, 1)))[0] == pytest.approx(100)
    half = 0.5 * bumps(np.zeros((1, 2)))
    assert generation_errors(half)[0] == pytest.approx(50, rel=1e-3)
