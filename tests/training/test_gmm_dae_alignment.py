"""A prior aligned with the clusters of codes, by itself and while training."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

from fastrrae import (
    GMMDAE,
    DataConfig,
    Dataset,
    InputError,
    NetworkConfig,
    Normalisation,
    ObjectiveConfig,
    RunFolder,
    ShardingConfig,
    load_run,
    train,
)
from fastrrae.metrics import clustering_accuracy
from fastrrae.models.gmm_dae import MixtureMatched
from fastrrae.models.gmm_dae_alignment import align_prior, fit_affine_map
from fastrrae.models.mixture_prior import MixturePrior
from fastrrae.training.metrics_log import read_metrics

PRIOR = MixturePrior(rank=5, components=3, distance=8.0)


def clusters_in_other_coordinates(seed=0):
    """Codes that an affine map takes to draws from the prior, and the component of each."""
    rng = np.random.default_rng(seed)
    draws = PRIOR.sample(600, seed)
    return draws @ rng.standard_normal((5, 5)) + rng.standard_normal(5), PRIOR.assign(draws)


def test_the_affine_map_leads_back_to_the_prior():
    codes, components = clusters_in_other_coordinates()
    affine_map = fit_affine_map(codes, components, PRIOR)
    found = codes @ affine_map[1:] + affine_map[0]
    assert clustering_accuracy(PRIOR.assign(found), components) > 0.99
    means = np.stack([found[components == k].mean(axis=0) for k in range(3)])
    np.testing.assert_allclose(means, PRIOR.centres, atol=0.35)  # least squares draws them a little together
    np.testing.assert_allclose(np.cov(found.T)[3:, 3:], np.eye(2), atol=0.05)  # directions without clusters


@pytest.mark.parametrize("spoil", ["one value", "two equal"])
def test_the_affine_map_can_be_inverted_whatever_the_codes(spoil):
    codes, components = clusters_in_other_coordinates()
    codes[:, 4] = 3.0 if spoil == "one value" else codes[:, 0]
    affine_map = fit_affine_map(codes, components, PRIOR)
    bottleneck = MixtureMatched(PRIOR)
    bottleneck.set_affine_map(affine_map)
    back = np.asarray(bottleneck.expand(bottleneck.coefficients(jnp.asarray(codes, jnp.float32))))
    np.testing.assert_allclose(back, codes, atol=1e-2)


def test_clusters_are_found_without_labels():
    codes, components = clusters_in_other_coordinates(1)
    affine_map = align_prior(PRIOR, codes)
    assert clustering_accuracy(PRIOR.assign(codes @ affine_map[1:] + affine_map[0]), components) > 0.99
    np.testing.assert_array_equal(affine_map, align_prior(PRIOR, codes))


@pytest.fixture
def bumps():
    """Curves with a bump in one of three places, and which."""
    rng = np.random.default_rng(3)
    place = rng.integers(3, size=250)
    centre = np.array([2.0, 6.0, 10.0])[place] + rng.normal(0, 0.3, 250)
    curves = np.exp(-((np.arange(12) - centre[:, None]) ** 2) / 2).astype(np.float32)
    labels = {"train": place[:200], "test": place[200:]}
    return Dataset(curves[:200], {"test": curves[200:]}, Normalisation(0.0, 1.0), labels)


@pytest.fixture
def delayed(config, with_training):
    config = replace(
        config,
        data=DataConfig("array", "bumps.npy"),
        model=GMMDAE(rank=3, components=3, align_after=0.5),
        network=NetworkConfig(encoder_widths=(32,), decoder_widths=(32,)),
        objective=ObjectiveConfig(),
    )
    return with_training(config, steps=400, batch_size=50, checkpoint_every=100)


@pytest.mark.parametrize("devices", [1, pytest.param(5, marks=pytest.mark.slow)])
def test_training_finds_the_clusters(tmp_path, delayed, bumps, devices):
    folder = RunFolder(tmp_path / "run")
    train(replace(delayed, sharding=ShardingConfig(data_devices=devices)), bumps, folder)
    terms = {row["step"]: row["mixture_distance"] for row in read_metrics(folder.metrics)}
    assert not any(terms[step] for step in terms if step <= 200)
    assert all(terms[step] > 0 for step in terms if step > 200)
    run = load_run(folder.root)
    prior = run.model.bottleneck.prior
    assert isinstance(prior, MixturePrior)
    assert clustering_accuracy(prior.assign(run.training_coefficients), bumps.labels["train"]) > 0.95


@pytest.mark.parametrize(
    "at", [pytest.param(150, marks=pytest.mark.slow), 201, pytest.param(350, marks=pytest.mark.slow)]
)
def test_a_resumed_run_equals_one_never_interrupted(delayed, bumps, resumed_and_whole, digest, at):
    resumed, whole = resumed_and_whole(delayed, bumps, at)
    assert digest(resumed) == digest(whole)


def test_what_does_not_fit_is_refused(delayed):
    with pytest.raises(InputError, match=r"`model.align_after` must be a number, at least 0 and below 1; got 1"):
        replace(delayed.model, align_after=1.0)
