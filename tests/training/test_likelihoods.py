"""Likelihoods in a run: what they need of data and model is checked first; a learned variance is a part of the run."""

from dataclasses import replace

import numpy as np
import pytest

from fastrrae import (
    AE,
    Autoencoder,
    Dataset,
    InputError,
    NetworkConfig,
    Normalisation,
    ObjectiveConfig,
    RunFolder,
    build_model,
    load_run,
    train,
)
from fastrrae.training.likelihoods import require_values


@pytest.fixture
def asking(config):
    """The configuration of an autoencoder with another loss and output."""

    def changed(reconstruction, output="auto", **options):
        network = replace(config.network, output=output)
        objective = ObjectiveConfig(reconstruction, **options)
        return replace(config, model=AE(rank=2), network=network, objective=objective)

    return changed


@pytest.fixture
def unit(dataset):
    """The data set in [0, 1]."""
    return replace(dataset, normalisation=Normalisation(-1.0, 2.0))


def test_values_out_of_range_are_refused_before_anything_is_written(tmp_path, asking, dataset):
    for loss, output in (("cross-entropy", "auto"), ("mse", "sigmoid")):
        with pytest.raises(
            InputError, match=r"`network.output` sigmoid gives values from 0 to 1, .* are from -1 to 1: set"
        ):
            train(asking(loss, output), dataset, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("output", ["none", "tanh"])
def test_a_cross_entropy_needs_a_sigmoid(tmp_path, asking, unit, output):
    with pytest.raises(
        InputError, match=rf"`network.output` must be sigmoid .* for `objective.reconstruction` .*{output}"
    ):
        train(asking("cross-entropy", output), unit, tmp_path / "run")
    plain = build_model(AE(rank=2), unit.sample_shape, network=NetworkConfig("mlp"))
    own = Autoencoder(plain.encoder, plain.bottleneck, plain.decoder)
    with pytest.raises(InputError, match=r"`model` must have a sigmoid output .*; got none"):
        train(asking("cross-entropy"), unit, tmp_path / "run", model=own)


def test_bytes_fit_by_their_type():
    data = Dataset(np.zeros((4, 3), np.uint8), {"test": np.zeros((2, 3), np.uint8)}, Normalisation(0.0, 255.0))
    require_values("sigmoid", data)
    require_values("tanh", data)
    wider = replace(data, normalisation=Normalisation(0.0, 100.0))
    require_values("sigmoid", wider)  # the type would allow 2.55, and the values are 0
    with pytest.raises(InputError, match=r"are from 2\.55 to 2\.55"):
        require_values("sigmoid", replace(wider, train=np.full((4, 3), 255, np.uint8)))


def test_draws_need_noise(tmp_path, asking, dataset):
    with pytest.raises(InputError, match=r"`objective.noise_draws` must be 1 for ae, which adds no noise; got 3"):
        train(asking("mse", noise_draws=3), dataset, tmp_path / "run")


def test_an_adaptive_rank_needs_a_positive_loss(tmp_path, asking, dataset, with_model):
    config = with_model(asking("gaussian"), "rrae", latent_size=8, adaptive_rank=True)
    config = replace(config, objective=ObjectiveConfig("gaussian"))
    with pytest.raises(InputError, match=r"`model.adaptive_rank` needs a positive loss"):
        train(config, dataset, tmp_path / "run")


def test_a_learned_variance_resumes_and_is_stored(asking, dataset, resumed_and_whole, digest):
    resumed, whole = resumed_and_whole(asking("gaussian"), dataset, 14)
    assert digest(resumed) == digest(whole)
    variance = load_run(whole.root).model.log_variance
    assert variance is not None
    assert float(variance[...]) != 0.0


def test_a_run_by_cross_entropy_gives_probabilities(tmp_path, asking, unit):
    folder = RunFolder(tmp_path / "run")
    train(asking("cross-entropy"), unit, folder)
    run = load_run(folder.root)
    samples = run.decode(100 * np.ones((3, 2)))
    assert run.model.output == "sigmoid"
    assert samples.min() >= -1.0
    assert samples.max() <= 1.0


@pytest.mark.slow
def test_several_draws_in_a_run_on_several_devices(tmp_path, config, dataset):
    """More draws, on eight devices: the same losses as on one, to rounding."""
    from fastrrae import CVVAE
    from fastrrae.training.metrics_log import read_metrics

    config = replace(config, model=CVVAE(rank=2), objective=ObjectiveConfig("mse", {"latent_l2": 1e-2}, noise_draws=3))
    rows = []
    for count in (1, 8):
        folder = RunFolder(tmp_path / str(count))
        train(replace(config, sharding=replace(config.sharding, data_devices=count)), dataset, folder)
        rows.append([row["loss"] for row in read_metrics(folder.metrics)])
    np.testing.assert_allclose(rows[1], rows[0], rtol=2e-4)
