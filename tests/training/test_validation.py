"""Validation while a model trains: the error is that of the model at inference, and a run stops where it should."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from fastrrae import Callback, Dataset, InputError, RunFolder, continue_training, load_run, train
from fastrrae.training.checkpoint import CheckpointStore
from fastrrae.training.metrics_log import read_metrics
from fastrrae.training.validation import Improvement


@pytest.fixture
def validated(dataset):
    return dataset.with_validation(0.3)


@pytest.fixture
def config(config, with_training):
    return with_training(config, steps=40, validate_every=5, checkpoint_every=10)


class Record(Callback):
    """Everything that a training says."""

    def __init__(self):
        self.said, self.errors = [], {}

    def on_start(self, folder, step):
        self.said.append(("start", step))

    def on_log(self, row):
        self.said.append(("log", row["step"]))

    def on_validation(self, step, error, model):
        self.said.append(("validation", step))
        self.errors[step] = error, model

    def on_checkpoint(self, step):
        self.said.append(("checkpoint", step))

    def on_end(self, model, folder):
        self.said.append(("end", folder.root.name))


def summary_of(folder):
    return json.loads(folder.summary.read_text())


def validations_of(folder):
    return {row["step"]: row["validation"] for row in read_metrics(folder.metrics) if "validation" in row}


def test_the_error_is_that_of_the_model_at_inference(tmp_path, config, validated):
    folder, record = RunFolder(tmp_path / "run"), Record()
    train(config, validated, folder, callbacks=[record])
    assert list(validations_of(folder)) == list(range(5, 41, 5))
    assert validations_of(folder) == {step: error for step, (error, _) in record.errors.items()}
    x = validated.validation
    reconstructed = load_run(folder.root).reconstruct(x)  # the whole training set is smaller than BASIS_SAMPLES
    assert validations_of(folder)[40] == pytest.approx(100 * np.linalg.norm(reconstructed - x) / np.linalg.norm(x))
    _, early = record.errors[5]
    assert not np.allclose(early.reconstruct(x), record.errors[40][1].reconstruct(x))


def test_validation_does_not_change_the_run(tmp_path, config, validated, digest, with_training):
    train(config, validated, tmp_path / "often")
    without = replace(validated, tests={"test": validated.test})
    train(with_training(config, validate_every=None), without, tmp_path / "never")
    assert digest(RunFolder(tmp_path / "often")) == digest(RunFolder(tmp_path / "never"))
    assert not validations_of(RunFolder(tmp_path / "never"))
    assert summary_of(RunFolder(tmp_path / "never"))["best_validation"] is None


def test_by_default_checkpoints_are_validated(tmp_path, config, validated, with_training):
    train(with_training(config, validate_every=None, steps=15), validated, tmp_path / "run")
    assert list(validations_of(RunFolder(tmp_path / "run"))) == [10, 15]


def test_callbacks_hear_of_everything_in_order(tmp_path, config, validated, with_training):
    record = Record()
    train(with_training(config, steps=10), validated, tmp_path / "run", callbacks=[record], quiet=True)
    assert record.said == [
        ("start", 0),
        ("validation", 5),
        ("log", 5),
        ("validation", 10),
        ("log", 10),
        ("checkpoint", 10),
        ("end", "run"),
    ]


@pytest.fixture
def stopping(monkeypatch):
    """Let validations have given errors, so that it is known when a run should stop."""

    def errors(values):
        given = iter(values)
        monkeypatch.setattr("fastrrae.training.session.validation_error", lambda *_: next(given))

    return errors


def test_training_stops_when_nothing_improves(tmp_path, config, validated, with_training, stopping, digest):
    stopping([9.0, 7.0, 8.0, math.nan, 6.0, 5.0, 4.0])
    folder = RunFolder(tmp_path / "run")
    model = train(with_training(config, stop_after=2), validated, folder)
    summary = summary_of(folder)
    assert (summary["steps"], summary["stopped_early"]) == (20, True)
    assert summary["best_validation"] == {"step": 10, "error": 7.0}
    assert validations_of(folder) == {5: 9.0, 10: 7.0, 15: 8.0, 20: None}
    x = validated.test
    np.testing.assert_array_equal(load_run(folder.root).model.reconstruct(x), model.reconstruct(x))
    before = digest(folder)
    train(with_training(config, stop_after=2), validated, folder, resume=True)  # finished: left as it is
    assert digest(folder) == before
    assert read_metrics(folder.metrics)[-1]["step"] == 20


@pytest.mark.parametrize("at", [13, 19])
def test_a_resumed_run_stops_at_the_same_step(
    tmp_path, config, validated, with_training, interrupt_training, stopping, digest, at
):
    config = with_training(config, stop_after=2)
    stopping([9.0, 7.0, 8.0, 8.0])
    train(config, validated, tmp_path / "whole")
    stopping([9.0, 7.0, 8.0, 8.0] if at < 15 else [9.0, 7.0, 8.0, 8.0, 8.0])
    folder = RunFolder(tmp_path / "broken")
    interrupt_training(config, validated, folder, at)
    stopping([8.0, 8.0])  # from the checkpoint of step 10 on
    train(config, validated, folder, resume=True)
    assert summary_of(folder)["steps"] == 20
    assert digest(folder) == digest(RunFolder(tmp_path / "whole"))


def test_a_stopped_run_that_died_before_its_summary_is_finished(tmp_path, config, validated, with_training, stopping):
    config = with_training(config, stop_after=1)
    stopping([9.0, 9.0])
    folder = RunFolder(tmp_path / "run")
    train(config, validated, folder)
    folder.summary.unlink()
    train(config, validated, folder, resume=True)  # takes no further step: the next validation would raise
    assert summary_of(folder)["steps"] == 10


def test_the_best_checkpoints_are_those_of_the_best_validations(tmp_path, config, validated, with_training, stopping):
    stopping([9.0, 1.0, 9.0, 5.0, 9.0, 7.0, 9.0, 8.0])
    train(with_training(config, keep_best=2, keep_last=1), validated, tmp_path / "run")
    kept = sorted(int(path.name) for path in (tmp_path / "run" / "checkpoints").iterdir() if path.name.isdigit())
    assert kept == [10, 20, 40]


@pytest.mark.parametrize("name", ["validate_every", "stop_after"])
def test_without_a_validation_split_it_is_refused(tmp_path, config, dataset, with_training, name):
    config = with_training(config, **{"validate_every": None, name: 3})
    with pytest.raises(InputError, match=f"`training.{name}` needs data with a validation split"):
        train(config, dataset, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_checkpoints_that_are_not_validated_cannot_be_compared(tmp_path, config, validated, with_training):
    with pytest.raises(InputError, match=r"must be a multiple of `training.validate_every`; got 10 and 4"):
        train(with_training(config, keep_best=1, validate_every=4), validated, tmp_path / "run")


def test_progress_of_an_earlier_version_has_no_validation():
    assert Improvement.of_checkpoint({"batches": 3, "seconds": 1.0}) == Improvement()


def test_zeros_to_validate_on_have_no_relative_error(tmp_path, config, dataset, with_training):
    zeros = Dataset(dataset.train, {"test": dataset.test, "validation": 0 * dataset.test}, dataset.normalisation)
    train(with_training(config, steps=5), zeros, tmp_path / "run")
    assert validations_of(RunFolder(tmp_path / "run")) == {5: None}


def test_a_stopped_run_can_be_continued(tmp_path, config, validated, with_training, stopping):
    stopping([9.0, 9.0])
    train(with_training(config, stop_after=1), validated, tmp_path / "run")
    stopping([9.0, 8.0, 7.0])
    continue_training(tmp_path / "run", validated, tmp_path / "longer", steps=15)
    assert summary_of(RunFolder(tmp_path / "longer"))["steps"] == 25


def test_a_run_that_has_not_finished_can_be_opened(tmp_path, config, validated, interrupt_training):
    interrupt_training(config, validated, tmp_path / "run", 27)
    with pytest.raises(InputError, match="has not finished"):
        load_run(tmp_path / "run")
    latest = load_run(tmp_path / "run", step="latest", dataset=validated)
    x = validated.test
    np.testing.assert_array_equal(
        latest.reconstruct(x), load_run(tmp_path / "run", step=20, dataset=validated).reconstruct(x)
    )
    assert not np.array_equal(
        latest.reconstruct(x), load_run(tmp_path / "run", step=10, dataset=validated).reconstruct(x)
    )
    with pytest.raises(InputError, match="`dataset` must be given"):
        load_run(tmp_path / "run", step="latest")


def rates_of(folder):
    """The factors of the rate in the checkpoints of a run, by step."""
    found = {}
    with CheckpointStore(folder.checkpoints) as store:
        for step in (10, 20, 30, 40):
            arrays = store.restore(step).arrays
            (found[step],) = (float(value) for name, value in arrays.items() if "validation_scale" in name)
    return found


def test_the_rate_halves_where_the_validation_error_does_not_improve(tmp_path, config, validated, monkeypatch):
    errors = iter([9.0, 8.0, 8.5, 8.1, 8.2, 8.3, 7.0, 7.5])  # of steps 5, 10, ...: halved after 20, 30 and never again
    monkeypatch.setattr("fastrrae.training.session.validation_error", lambda *_: next(errors))
    training = replace(config.training, schedule="validation-plateau", plateau_validations=2, keep_last=9)
    folder = RunFolder(tmp_path / "run")
    train(replace(config, training=training), validated, folder)
    assert rates_of(folder) == {10: 1.0, 20: 0.5, 30: 0.25, 40: 0.25}


def test_the_validation_plateau_needs_a_validation_split(tmp_path, config, dataset):
    training = replace(config.training, validate_every=None, schedule="validation-plateau")
    with pytest.raises(InputError, match=r"`training.schedule` needs data with a validation split"):
        train(replace(config, training=training), dataset, RunFolder(tmp_path / "run"))
