"""Diagnostics of the latent space, and neighbours, against what they mean."""

import numpy as np
import pytest

from fastrrae.metrics import active_units, correlation, effective_rank, kl_per_dimension, nearest, numerical_rank


def test_kl_by_integration():
    """Each coordinate's mean over samples of the integral of q log(q / p)."""
    mean, logvar = np.array([[0.5, 0.0], [-1.0, 0.0]]), np.array([[0.3, 0.0], [-1.0, 0.0]])
    z = np.linspace(-30, 30, 200_001)

    def log_density(m, v):
        return -0.5 * (np.log(2 * np.pi) + v + (z - m) ** 2 / np.exp(v))

    def kl(m, v):
        log_q = log_density(m, v)
        return np.sum(np.exp(log_q) * (log_q - log_density(0, 0))) * (z[1] - z[0])

    expected = [np.mean([kl(mean[i, d], logvar[i, d]) for i in range(2)]) for d in range(2)]
    np.testing.assert_allclose(kl_per_dimension(mean, logvar), expected, atol=1e-9)
    assert kl_per_dimension(mean, logvar)[1] == pytest.approx(0, abs=1e-12)


def test_active_units():
    rng = np.random.default_rng(0)
    means = rng.standard_normal((1000, 4)) * [1, 0.2, 0.05, 0] + 7
    assert active_units(means) == 2
    assert active_units(means, 0.001) == 3


@pytest.mark.parametrize(("values", "rank"), [([1, 1, 1, 1], 4), ([5, 0, 0], 1), ([0, 0], 0), ([2, 2, 0], 2)])
def test_effective_rank_of_flat_spectra(values, rank):
    assert effective_rank(np.array(values)) == pytest.approx(rank)
    assert effective_rank(1e-9 * np.array(values)) == pytest.approx(rank)


@pytest.mark.parametrize(("values", "rank"), [([1, 0.5, 2e-3, 9e-4], 3), ([5, 0, 0], 1), ([0, 0], 0), ([], 0)])
def test_numerical_rank_counts_shares_of_the_largest(values, rank):
    assert numerical_rank(np.array(values)) == rank
    assert numerical_rank(1e-9 * np.array(values)) == rank


def test_active_units_depend_on_the_rotation_and_ranks_do_not():
    rng = np.random.default_rng(0)
    codes = 3 * rng.standard_normal((500, 1)) * np.eye(1, 4)
    rotation = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    assert (active_units(codes), active_units(codes @ rotation)) == (1, 4)
    for rotated in (codes, codes @ rotation):
        variances = np.linalg.eigvalsh(np.cov(rotated, rowvar=False))
        assert numerical_rank(variances) == 1
        assert effective_rank(variances.clip(0)) == pytest.approx(1)


def test_correlation():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((20_000, 3))
    assert correlation(x) < 0.02
    assert correlation(np.stack([x[:, 0], -2 * x[:, 0] + 5], 1)) == pytest.approx(1)
    assert correlation(np.stack([x[:, 0], np.ones(20_000)], 1)) == 0
    mixed = np.stack([x[:, 0], x[:, 0] + x[:, 1], x[:, 2]], 1)
    expected = np.abs(np.corrcoef(mixed, rowvar=False))[np.triu_indices(3, 1)].mean()
    assert correlation(mixed) == pytest.approx(expected)


def test_nearest_over_all_batches():
    rng = np.random.default_rng(0)
    samples, queries = rng.standard_normal((50, 3, 2)), rng.standard_normal((7, 3, 2))
    distances = np.linalg.norm((queries[:, None] - samples[None]).reshape(7, 50, -1), axis=-1)
    for count in (1, 4):
        index, distance = nearest(queries, (samples[start : start + 8] for start in range(0, 50, 8)), count)
        np.testing.assert_array_equal(index, distances.argsort(1)[:, :count])
        np.testing.assert_allclose(distance, np.sort(distances, 1)[:, :count])
    assert nearest(queries, [samples[:2], samples[2:3]], 9)[0].shape == (7, 3)
    assert nearest(samples[12:13], [samples])[1] == 0
