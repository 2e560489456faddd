"""New runs that go on from finished ones: longer training to the bit, fine-tuning from parameters alone."""

import shutil
from dataclasses import replace

import jax
import numpy as np
import optax
import pytest
from flax import nnx

from fastrrae import (
    Dataset,
    InputError,
    NetworkConfig,
    RunFolder,
    ShardingConfig,
    continue_training,
    load_run,
    train,
)
from fastrrae.training.metrics_log import read_metrics


def parameters(run):
    return jax.tree.leaves(nnx.state(run.model, nnx.Param))


def test_a_continued_run_equals_one_long_run(tmp_path, config, dataset, with_training, digest):
    train(config, dataset, tmp_path / "short")
    continue_training(tmp_path / "short", dataset, tmp_path / "longer", steps=10)
    train(with_training(config, steps=30), dataset, tmp_path / "whole")
    longer, whole = RunFolder(tmp_path / "longer"), RunFolder(tmp_path / "whole")
    assert digest(longer) == digest(whole)
    assert [row["loss"] for row in read_metrics(longer.metrics)] == [row["loss"] for row in read_metrics(whole.metrics)]
    parent = longer.load_config().parent
    assert parent["run"] == str((tmp_path / "short").resolve())
    assert parent["parameters_sha256"] == digest(RunFolder(tmp_path / "short"))
    assert (parent["takes"], parent["step"]) == ("state", 20)


@pytest.mark.slow
def test_on_other_devices(tmp_path, config, dataset):
    train(config, dataset, tmp_path / "short")
    continue_training(tmp_path / "short", dataset, tmp_path / "one", steps=10)
    eight = replace(config, sharding=ShardingConfig(data_devices=2, model_devices=2))
    train(eight, dataset, tmp_path / "short-on-four")
    continue_training(tmp_path / "short-on-four", dataset, tmp_path / "four", steps=10)
    losses = [[row["loss"] for row in read_metrics(tmp_path / name / "metrics.jsonl")] for name in ("one", "four")]
    np.testing.assert_allclose(*losses, rtol=1e-3)


def test_a_continued_run_resumes_without_its_parent(tmp_path, config, dataset, with_training, changed_batch, digest):
    def interrupt(_):
        raise KeyboardInterrupt

    train(config, dataset, tmp_path / "short")
    continue_training(tmp_path / "short", dataset, tmp_path / "whole", steps=15)
    with changed_batch(3, interrupt), pytest.raises(KeyboardInterrupt):
        continue_training(tmp_path / "short", dataset, tmp_path / "broken", steps=15)
    shutil.move(tmp_path / "short", tmp_path / "moved")
    train(with_training(config, steps=35), dataset, tmp_path / "broken", resume=True)
    assert digest(RunFolder(tmp_path / "broken")) == digest(RunFolder(tmp_path / "whole"))
    assert RunFolder(tmp_path / "broken").load_config().parent["step"] == 20


@pytest.mark.slow
def test_a_search_for_the_rank_that_has_ended_is_not_repeated(tmp_path, config, dataset, with_model, with_training):
    quick = {"rank_window": 2, "rank_patience": 1, "rank_settle": 0.1}
    config = with_training(with_model(config, "rrae", adaptive_rank=True, **quick), steps=60)
    train(config, dataset, tmp_path / "short")
    continue_training(tmp_path / "short", dataset, tmp_path / "longer", steps=60)
    found = [np.linalg.matrix_rank(load_run(tmp_path / name).training_coefficients) for name in ("short", "longer")]
    assert found[0] == found[1]


def test_parameters_of_another_run_to_start_with(tmp_path, config, dataset, with_training, digest):
    train(config, dataset, tmp_path / "first")
    other = Dataset(2 * dataset.train[:40], {"test": dataset.test}, dataset.normalisation)
    barely = with_training(config, steps=1, learning_rate=1e-12)
    train(barely, other, tmp_path / "tuned", init=tmp_path / "first")
    for x, y in zip(parameters(load_run(tmp_path / "tuned")), parameters(load_run(tmp_path / "first")), strict=True):
        np.testing.assert_allclose(x, y, atol=1e-9)
    assert read_metrics(tmp_path / "tuned" / "metrics.jsonl")[0]["step"] == 1
    assert RunFolder(tmp_path / "tuned").load_config().parent["takes"] == "parameters"
    train(barely, other, tmp_path / "fresh")
    assert digest(RunFolder(tmp_path / "fresh")) != digest(RunFolder(tmp_path / "tuned"))


def test_a_fine_tuned_run_resumes_to_the_bit(tmp_path, config, dataset, changed_batch, digest):
    def interrupt(_):
        raise KeyboardInterrupt

    train(config, dataset, tmp_path / "first")
    train(config, dataset, tmp_path / "whole", init=tmp_path / "first")
    with changed_batch(3, interrupt), pytest.raises(KeyboardInterrupt):
        train(config, dataset, tmp_path / "broken", init=tmp_path / "first")
    train(config, dataset, tmp_path / "broken", init=tmp_path / "first", resume=True)
    assert digest(RunFolder(tmp_path / "broken")) == digest(RunFolder(tmp_path / "whole"))


def test_what_cannot_be_a_parent_is_refused(tmp_path, config, dataset, changed_batch):
    def interrupt(_):
        raise KeyboardInterrupt

    train(config, dataset, tmp_path / "first")
    with pytest.raises(InputError, match="must be another folder than that of the run to start from"):
        train(config, dataset, tmp_path / "first", init=tmp_path / "first", overwrite=True)
    wider = replace(config, network=NetworkConfig(encoder_widths=(17,), decoder_widths=(16,)))
    with pytest.raises(InputError, match="is of another model"):
        train(wider, dataset, tmp_path / "wider", init=tmp_path / "first")
    with pytest.raises(InputError, match="`steps` must be at least 1"):
        continue_training(tmp_path / "first", dataset, tmp_path / "more", steps=0)
    other = Dataset(dataset.train + 1, {"test": dataset.test}, dataset.normalisation)
    with pytest.raises(InputError, match="is not that of the run"):
        continue_training(tmp_path / "first", other, tmp_path / "more", steps=1)
    with changed_batch(3, interrupt), pytest.raises(KeyboardInterrupt):
        train(config, dataset, tmp_path / "unfinished")
    with pytest.raises(InputError, match="has not finished"):
        train(config, dataset, tmp_path / "next", init=tmp_path / "unfinished")
    with pytest.raises(InputError, match="what it was started from differs"):
        train(config, dataset, tmp_path / "unfinished", init=tmp_path / "first", resume=True)


def test_an_own_optimiser_is_handed_over_again(tmp_path, config, dataset):
    train(config, dataset, tmp_path / "first", optimiser=optax.sgd(1e-3))
    with pytest.raises(InputError, match=r"`optimiser` must be handed over"):
        continue_training(tmp_path / "first", dataset, tmp_path / "more", steps=1)
    continue_training(tmp_path / "first", dataset, tmp_path / "more", steps=1, optimiser=optax.sgd(1e-3))
