"""Whole runs: what they leave, that they repeat, resume and stop as they should."""

import json
from dataclasses import replace

import jax
import numpy as np
import pytest

import fastrrae.training.session as loop
from fastrrae import MODELS, InputError, RunFolder, TrainingDiverged, load_run, train
from fastrrae.training.metrics_log import read_metrics

SPEED = {"steps_per_second", "samples_per_second_per_device", "input_share"}

# Of all kinds of state: running statistics, draws from a prior, linear layers, a critic with its own optimiser.
TELLING = ("rae-sn", "wae", "irmae", "mask-aae")


def test_a_finished_run(tmp_path, config, dataset):
    folder = RunFolder(tmp_path / "run")
    model = train(config, dataset, folder)
    rows = read_metrics(folder.metrics)
    assert [row["step"] for row in rows] == [5, 10, 15, 20]
    assert set(rows[0]) == {"step", "loss", "reconstruction", "kl", "gradient_norm"} | SPEED
    summary = json.loads(folder.summary.read_text())
    assert summary["steps"] == 20
    assert 0 < summary["first_step_seconds"] <= summary["seconds"]
    assert set(summary["versions"]) >= {"python", "jax", "flax", "fastrrae"}
    assert not folder.unfinished.exists()
    stored = json.loads(folder.config.read_text())
    assert stored["objective"]["weights"] == {"kl": 1e-3}
    assert stored["model"]["name"] == "vrrae"

    run = load_run(folder.root)
    np.testing.assert_allclose(run.reconstruct(dataset.test), model.reconstruct(dataset.test), rtol=1e-4, atol=1e-6)
    assert run.training_coefficients.shape == (50, 2)
    np.testing.assert_allclose(run.coefficients(dataset.train), run.training_coefficients, atol=1e-5)
    assert run.sample(7).shape == (7, 12)
    np.testing.assert_array_equal(run.sample(7), run.sample(7))
    with pytest.raises(InputError, match=r"samples must have shape \(count, \*\(12,\)\)"):
        run.reconstruct(np.zeros((3, 11)))


def test_the_same_seed_gives_the_same_bits(tmp_path, config, dataset, with_training, digest):
    runs = [RunFolder(tmp_path / name) for name in "abc"]
    for folder, seed in zip(runs, (0, 0, 1), strict=True):
        train(with_training(config, seed=seed), dataset, folder)
    assert digest(runs[0]) == digest(runs[1]) != digest(runs[2])


@pytest.mark.parametrize("at", [3, 14, 18])
def test_a_resumed_run_equals_one_never_interrupted(tmp_path, config, dataset, interrupt_training, at, digest):
    whole, broken = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "broken")
    train(config, dataset, whole)
    interrupt_training(config, dataset, broken, at)
    assert broken.unfinished.exists()
    with pytest.raises(InputError, match="has not finished"):
        load_run(broken.root)
    train(config, dataset, broken, resume=True)
    assert digest(broken) == digest(whole)
    losses = [[(row["step"], row["loss"]) for row in read_metrics(folder.metrics)] for folder in (whole, broken)]
    assert losses[0] == losses[1]


@pytest.mark.parametrize("name", [n if n in TELLING else pytest.param(n, marks=pytest.mark.slow) for n in MODELS])
def test_every_member_resumes(config, dataset, resumed_and_whole, digest, name, with_model):
    config = with_model(config, name, **({"components": 2} if name == "gmm-dae" else {}))
    resumed, whole = resumed_and_whole(config, dataset, 14)
    assert digest(resumed) == digest(whole)


def test_resuming_with_another_configuration_is_refused(tmp_path, config, dataset, with_training):
    folder = RunFolder(tmp_path / "run")
    train(config, dataset, folder)
    with pytest.raises(InputError, match=r"configuration differs: training.seed: 0 stored, 5 asked$"):
        train(with_training(config, seed=5), dataset, folder, resume=True)
    with pytest.raises(InputError, match="not a run folder"):
        train(config, dataset, RunFolder(tmp_path / "absent"), resume=True)


def test_resuming_a_finished_run_changes_nothing(tmp_path, config, dataset):
    folder = RunFolder(tmp_path / "run")
    first = train(config, dataset, folder)
    before = folder.summary.read_text(), folder.metrics.read_text()
    again = train(config, dataset, folder, resume=True)
    assert (folder.summary.read_text(), folder.metrics.read_text()) == before
    np.testing.assert_array_equal(again.reconstruct(dataset.test), first.reconstruct(dataset.test))


def test_the_summary_comes_after_the_last_checkpoint_is_on_disk(tmp_path, config, dataset, monkeypatch):
    folder = RunFolder(tmp_path / "run")
    complete = []
    original = loop.write_json

    def write(path, values):
        complete.append((folder.checkpoints / "20").is_dir())
        original(path, values)

    monkeypatch.setattr(loop, "write_json", write)
    train(config, dataset, folder)
    assert complete == [True]


def test_a_run_that_died_between_its_last_checkpoint_and_its_summary(tmp_path, config, dataset, digest):
    folder = RunFolder(tmp_path / "run")
    train(config, dataset, folder)
    expected = digest(folder)
    folder.summary.unlink()
    train(config, dataset, folder, resume=True)
    assert digest(folder) == expected


@pytest.mark.parametrize("name", ["vrrae", pytest.param("gmm-dae", marks=pytest.mark.slow)])
def test_training_runs_with_strict_promotion_and_checks_for_nan(tmp_path, config, dataset, with_model, name):
    config = with_model(config, name, **({"components": 2} if name == "gmm-dae" else {}))
    with jax.numpy_dtype_promotion("strict"), jax.debug_nans(True):
        train(config, dataset, tmp_path / "run")
        assert load_run(tmp_path / "run").sample(2).shape == (2, 12)


def test_resuming_on_other_data_is_refused(tmp_path, config, dataset):
    folder = RunFolder(tmp_path / "run")
    train(config, dataset, folder)
    changed = replace(dataset, train=dataset.train[:-1])
    with pytest.raises(InputError, match=r"the data is not that of the run .* train_count: 50 then, 49 now"):
        train(config, changed, folder, resume=True)


def test_a_run_is_replaced_only_on_request(tmp_path, config, dataset, digest):
    folder = RunFolder(tmp_path / "run")
    train(config, dataset, folder)
    before = digest(folder)
    with pytest.raises(InputError, match="already holds a finished run"):
        train(config, dataset, folder)
    assert digest(folder) == before
    train(config, dataset, folder, overwrite=True)
    foreign = tmp_path / "home"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("irreplaceable")
    with pytest.raises(InputError, match="not a run folder"):
        train(config, dataset, RunFolder(foreign), overwrite=True)
    assert (foreign / "thesis.txt").read_text() == "irreplaceable"


def test_divergence_stops_and_keeps_the_last_good_checkpoint(tmp_path, config, dataset, changed_batch):
    folder = RunFolder(tmp_path / "run")
    message = r"infinite at step 13\. The checkpoint of step 10 is kept"
    with changed_batch(13, lambda batch: batch * np.nan), pytest.raises(TrainingDiverged, match=message):
        train(config, dataset, folder)
    assert [path.name for path in folder.checkpoints.iterdir()] == ["10"]
    assert folder.unfinished.exists()
    assert [row["step"] for row in read_metrics(folder.metrics)] == [5, 10]


def test_an_unwritable_folder(tmp_path, config, dataset):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write to"):
        train(config, dataset, RunFolder(tmp_path / "file" / "run"))
