"""The moving average of the weights: against one computed step by step, and as the model that is kept."""

import json
from dataclasses import replace

import jax
import numpy as np
import optax
import pytest
from flax import nnx

import fastrrae.training.sharding as rules
from fastrrae import (
    AE,
    InputError,
    NetworkConfig,
    RunFolder,
    ShardingConfig,
    build_model,
    continue_training,
    load_run,
    make_objective,
    train,
)
from fastrrae.training.mesh import make_mesh
from fastrrae.training.state_arrays import flatten
from fastrrae.training.step import StepOptions, finish_training, start_training

X = np.random.default_rng(0).standard_normal((16, 32, 32, 1)).astype(np.float32)
DECAY = 0.6
KINDS = nnx.Any(nnx.Param, nnx.BatchStat)


def weights_of(variables):
    return {name: np.array(array) for name, array in flatten(nnx.filter_state(variables, KINDS)).items()}


def average_of(history):
    """The recursion with a decay that rises, as a loop over the weights after each step."""
    average = history[0]
    for taken, weights in enumerate(history[1:], 1):
        decay = min(DECAY, (taken - 1) / (taken + 8))
        average = {name: decay * average[name] + (1 - decay) * weights[name] for name in weights}
    return average


def test_it_is_that_of_the_weights_after_each_step():
    """Of a network with batch normalisation, whose statistics are averaged too."""
    model = build_model(AE(rank=3), (32, 32, 1), network=NetworkConfig("batch-normalised", decoder_widths=(8, 4)))
    state, step = start_training(model, StepOptions(optax.adam(1e-2), make_objective(), ema_decay=DECAY))
    history = [weights_of(state.variables[0])]
    for _ in range(8):
        state, _ = step(state, X)
        history.append(weights_of(state.variables[0]))
    expected = average_of(history)
    assert "encoder/normalisations/0/norm/var/value" in expected
    assert all(not np.allclose(expected[name], history[-1][name], rtol=1e-4) for name in expected if "kernel" in name)
    finish_training(model, state)
    found = weights_of(nnx.state(model))
    assert found.keys() == expected.keys()
    for name, average in expected.items():
        np.testing.assert_allclose(found[name], average, rtol=1e-5, atol=1e-6, err_msg=name)


def test_devices_average_the_part_that_they_keep(monkeypatch):
    monkeypatch.setattr(rules, "SHARDED_FROM", 8)
    x, averages = X.reshape(16, -1)[:, :64], []
    for devices in (1, 4):
        mesh = make_mesh(ShardingConfig(data_devices=devices))
        model = build_model(AE(rank=4), (64,), network=NetworkConfig(encoder_widths=(32,), decoder_widths=(32,)))
        # With a large `eps`, steps are smooth in the gradient: rounding stays rounding.
        options = StepOptions(optax.adam(1e-2, eps=1e-2), make_objective(), ema_decay=DECAY)
        state, step = start_training(model, options, mesh=mesh)
        with jax.set_mesh(mesh):
            for _ in range(3):
                state, _ = step(state, x)
        of_largest = max(jax.tree.leaves(state.average), key=lambda leaf: leaf.size)
        assert of_largest.addressable_shards[0].data.size * devices == of_largest.size
        averages.append(weights_of(state.average))
    for name, average in averages[0].items():
        np.testing.assert_allclose(averages[1][name], average, rtol=1e-4, atol=1e-6, err_msg=name)


@pytest.fixture
def averaged(config, with_training):
    return with_training(config, ema_decay=DECAY)


def test_the_average_is_what_is_kept(tmp_path, config, averaged, dataset):
    """The steps are those without it; what is left is not. A checkpoint on the way is read as an average, too."""
    losses, kept = [], []
    for name, each in (("last", config), ("averaged", averaged)):
        train(each, dataset, tmp_path / name)
        folder = RunFolder(tmp_path / name)
        losses.append(json.loads(folder.summary.read_text())["final"]["loss"])
        runs = (load_run(folder.root), load_run(folder.root, step=10, dataset=dataset))
        kept.append([weights_of(nnx.state(run.model)) for run in runs])
    assert losses[0] == losses[1]
    for last, average in zip(*kept, strict=True):
        assert all(not np.array_equal(last[name], average[name]) for name in last)


def test_validations_see_it(tmp_path, averaged, dataset, with_training):
    validated = dataset.with_validation(0.3)
    train(with_training(averaged, validate_every=20), validated, tmp_path / "run")
    x = validated.validation
    error = 100 * np.linalg.norm(load_run(tmp_path / "run").reconstruct(x) - x) / np.linalg.norm(x)
    best = json.loads((tmp_path / "run" / "summary.json").read_text())["best_validation"]
    assert best["error"] == pytest.approx(error)


def test_a_resumed_run_has_the_same_average(averaged, dataset, resumed_and_whole, digest):
    resumed, whole = resumed_and_whole(averaged, dataset, at=13)
    assert digest(resumed) == digest(whole)


def test_a_continued_run_goes_on_from_the_weights_not_from_their_average(
    tmp_path, averaged, dataset, with_training, digest
):
    train(averaged, dataset, tmp_path / "short")
    continue_training(tmp_path / "short", dataset, tmp_path / "longer", steps=10)
    train(with_training(averaged, steps=30), dataset, tmp_path / "whole")
    assert digest(RunFolder(tmp_path / "longer")) == digest(RunFolder(tmp_path / "whole"))


def test_a_search_for_the_rank_is_refused(tmp_path, averaged, dataset):
    searching = replace(averaged, model=replace(averaged.model, adaptive_rank=True))
    with pytest.raises(InputError, match=r"`training\.ema_decay` must be 0 with `model\.adaptive_rank`.*got 0\.6"):
        train(searching, dataset, tmp_path / "run")
    assert not (tmp_path / "run").exists()
