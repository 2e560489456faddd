"""What is seen of a run from outside: profile, speed, heartbeat, lost time, and the plan next to what was measured."""

import json
import time
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fastrrae import Dataset, InputError, NetworkConfig, Normalisation, RunFolder, ShardingConfig, load_run, train
from fastrrae.chips import peak_flops
from fastrrae.cli import run_command
from fastrrae.data.flip import Flip
from fastrrae.errors import StartAgain
from fastrrae.evaluation.plan_table import plan_tables
from fastrrae.training.goodput import KINDS, Goodput
from fastrrae.training.metrics_log import read_metrics
from fastrrae.training.profile import SCOPES, parse_profile, read_trace
from fastrrae.training.speed import SlowInput, StepCost
from fastrrae.training.watch import Watch


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    path = tmp_path_factory.mktemp("plan") / "plan.json"
    plan = {"seconds_per_step_at_least": 0.001, "batch_size": 16, "topology": "v5e:2x4"}
    path.write_text(json.dumps({"plan": plan}))
    return path


@pytest.fixture
def watched(config, dataset, tmp_path, planned):
    """A run on two devices with everything that can be watched."""
    watch = Watch(profile=(8, 12), peak_tflops=0.001, plan=planned)
    train(replace(config, sharding=ShardingConfig(data_devices=2)), dataset, tmp_path / "run", watch=watch, quiet=True)
    return RunFolder(tmp_path / "run")


def test_a_run_that_is_watched(watched):
    instructions = {
        event["args"]["hlo_op"] for event in read_trace(watched.root / "profile") if "hlo_op" in event.get("args", {})
    }
    assert len(instructions) > 10
    seconds = json.loads((watched.root / "profile" / "scopes.json").read_text())["seconds"]
    assert set(SCOPES) <= set(seconds)
    assert all(value > 0 for value in seconds.values())
    last = read_metrics(watched.metrics)[-1]
    assert last["samples_per_second_per_device"] == pytest.approx(8 * last["steps_per_second"])
    assert last["flops_utilisation"] > 0
    assert 0 <= last["input_share"] < 1
    assert json.loads((watched.root / "heartbeat.json").read_text())["step"] >= 1
    goodput = json.loads(watched.summary.read_text())["goodput"]
    assert set(goodput["lost_seconds"]) == set(KINDS)
    assert goodput["lost_seconds"]["first_step"] > 0
    assert goodput["lost_seconds"]["restarts"] == 0
    assert 0 <= goodput["share"] < 1
    (table,) = plan_tables(watched)
    assert table.rows[0][:2] == ["a step, ms", "1.00"]
    assert table.rows[1][1] == "16000"


@pytest.mark.slow
def test_watching_changes_no_bits(config, dataset, tmp_path):
    folders = RunFolder(tmp_path / "plain"), RunFolder(tmp_path / "watched")
    train(config, dataset, folders[0], quiet=True)
    train(config, dataset, folders[1], watch=Watch(profile=(2, 3), peak_tflops=1.0), quiet=True)
    digests = [json.loads(folder.summary.read_text())["parameters_sha256"] for folder in folders]
    assert digests[0] == digests[1]


@pytest.mark.parametrize("text", ["100", "5:4", "0:4", "a:b", "1:2:3", ":"])
def test_a_wrong_profile_is_one_message(text, capsys):
    with pytest.raises(InputError, match="`profile` must be FIRST:LAST"):
        parse_profile(text)
    assert run_command(["train", "digits", "--profile", text]) == 1
    assert "--profile must be FIRST:LAST" in capsys.readouterr().err


def test_a_file_that_is_no_plan_is_one_message(tmp_path, capsys):
    (tmp_path / "plan.json").write_text("{}")
    assert run_command(["train", "digits", "--plan", str(tmp_path / "plan.json")]) == 1
    assert "--plan must be a file that `fastrrae plan --json` has written" in capsys.readouterr().err


def test_utilisation_is_not_invented():
    assert StepCost(8, None, None).rates(2.0) == {"samples_per_second_per_device": 16.0}
    assert StepCost(8, 1e12, 197e12).rates(98.5)["flops_utilisation"] == pytest.approx(0.5)
    assert peak_flops("cpu") is None
    assert peak_flops("TPU v5 lite") == 197e12


def test_lost_time_is_counted_over_sessions():
    first = Goodput()
    with first.losing("checkpoints"):
        pass
    first.lost["input"] = 3.0
    progress = first.as_progress() | {"saved_at": time.time() - 100}
    second = Goodput.of_checkpoint(progress)
    assert second.lost["input"] == 3.0
    assert second.lost["restarts"] == pytest.approx(100, abs=5)
    assert second.summary(103.0 + first.lost["checkpoints"])["share"] == pytest.approx(100 / 203, abs=0.03)
    assert Goodput.of_checkpoint({"batches": 3}).lost == dict.fromkeys(KINDS, 0.0)  # of an earlier version


def test_input_that_is_too_slow_is_said():
    fast, slow = SlowInput(), SlowInput()
    assert not any(fast.after(0.1, 1.0, 5) for _ in range(30))
    said = [slow.after(0.3, 1.0, 5) for _ in range(30)]
    assert [index for index, text in enumerate(said) if text] == [9]
    assert "30 % of the time is spent waiting for batches, and 5.0 are read a second" in said[9]


def test_what_can_be_started_again_has_its_own_exit_code(monkeypatch, capsys):
    def lost(config):
        raise StartAgain("another process of this run has stopped")

    monkeypatch.setattr("fastrrae.cli.train.load_dataset", lost)
    assert run_command(["train", "digits", "--out", "unused"]) == 75
    assert "another process" in capsys.readouterr().err


def test_flips_are_fair_and_the_same_for_a_step():
    x = jnp.broadcast_to(jnp.arange(3.0)[:, None], (400, 2, 3, 1))
    flip = Flip(seed=1)
    seen = flip(x, 5)
    flipped = np.asarray(seen[:, 0, 0, 0] == 2)
    np.testing.assert_array_equal(seen[flipped], x[flipped][:, :, ::-1])
    np.testing.assert_array_equal(seen[~flipped], x[~flipped])
    assert 160 < flipped.sum() < 240
    np.testing.assert_array_equal(seen, jax.jit(flip)(x, 5))
    assert not np.array_equal(seen, flip(x, 6))


@pytest.mark.slow
def test_a_resumed_run_flips_as_one_that_was_not_interrupted(config, with_training, resumed_and_whole, digest):
    x = np.random.default_rng(0).uniform(size=(60, 8, 8, 1)).astype(np.float32)
    images = Dataset(x[:50], {"test": x[50:]}, Normalisation(0.0, 1.0))
    config = with_training(replace(config, network=NetworkConfig("mlp", (16,), (16,))), flip=True)
    resumed, whole = resumed_and_whole(config, images, at=13)
    assert digest(resumed) == digest(whole)
    assert load_run(whole.root).config.training.flip


def test_flips_need_images(config, dataset, with_training, tmp_path):
    with pytest.raises(InputError, match=r"`training.flip` is for images"):
        train(with_training(config, flip=True), dataset, tmp_path / "run")
