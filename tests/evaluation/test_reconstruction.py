"""Reconstruction error against its definition."""

import msgspec
import numpy as np
from flax import nnx

from fastrrae.data import Normalisation
from fastrrae.evaluation.reconstruction import reconstruction_sums
from fastrrae.models import Autoencoder, Identity


class Shrinking(nnx.Module):
    def __call__(self, x):
        return 0.9 * x


class Same(nnx.Module):
    def __call__(self, x):
        return x


def test_error_is_relative_to_normalised_values():
    samples = np.random.default_rng(0).standard_normal((1100, 6)) + 40
    model = Autoencoder(Shrinking(), Identity(6), Same())
    error = reconstruction_sums(model, samples, Normalisation(40.0, 2.0)).error()
    np.testing.assert_allclose(msgspec.structs.astuple(error)[:3], (10.0, 10.0, 0.0), atol=1e-4)


def test_overall_weighs_large_samples_more():
    class OnlyLarge(nnx.Module):
        def __call__(self, x):
            return x * (abs(x) > 1)

    samples = np.array([[10.0, 0.0], [0.1, 0.0], [0.0, 0.0]])
    error = reconstruction_sums(Autoencoder(OnlyLarge(), Identity(2), Same()), samples, Normalisation(0.0, 1.0)).error()
    np.testing.assert_allclose(error.overall, 100 * 0.1 / np.sqrt(100.01), rtol=1e-5)
    np.testing.assert_allclose(error.per_sample_mean, 50, rtol=1e-5)  # the sample of zeros has no relative error


def test_samples_that_are_all_zero_have_no_relative_error():
    error = reconstruction_sums(
        Autoencoder(Shrinking(), Identity(2), Same()), np.zeros((3, 2)), Normalisation(0.0, 1.0)
    ).error()
    assert np.isnan(msgspec.structs.astuple(error)[:3]).all()
    assert error.explained_variance is None
