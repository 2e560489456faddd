"""Runs that are killed, told to stop, or left alone, in processes of their own: they end with the same bits."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fastrrae import RunFolder
from fastrrae.cli import run_command

QUICK = ["--network", "mlp", "--rank", "4", "--log-every", "10"]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A hundred small images as records."""
    source = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for index in range(100):
        Image.fromarray(rng.integers(0, 255, (12, 12, 3), np.uint8)).save(source / f"{index:03d}.png")
    out = tmp_path_factory.mktemp("prepared") / "records"
    assert run_command(["prepare", "images", str(source), str(out), "--size", "12"]) == 0
    return out


FROM_PYTHON = """
import sys
from fastrrae import *
network = NetworkConfig("mlp", encoder_widths=(32,), decoder_widths=(32,))
config = RunConfig("mine", DataConfig("digits"), VRRAE(rank=4, latent_size=16), network,
                   ObjectiveConfig(weights={"kl": 1e-3}), TrainingConfig(steps=1200, checkpoint_every=100))
train(config, load_dataset(config.data), sys.argv[1], resume="auto")
"""


def command(recipe, out, *options):
    options = [*QUICK, "--data-devices", "1", *options]
    code = "from fastrrae.cli import main; main()"
    return [sys.executable, "-c", code, "train", recipe, "--out", str(out), "--protocol", "brief", *map(str, options)]


def environment():
    return os.environ | {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": one_device(os.environ["XLA_FLAGS"])}


def one_device(flags):
    return " ".join(flag for flag in flags.split() if "device_count" not in flag)


def start(arguments):
    return subprocess.Popen(arguments, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(arguments):
    done = subprocess.run(arguments, env=environment(), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def digest(out: Path):
    return json.loads(RunFolder(out).summary.read_text())["parameters_sha256"]


def wait_for_checkpoint(process, out: Path):
    """Return once a checkpoint is complete."""
    while not any(path.name.isdigit() for path in (out / "checkpoints").glob("*")):
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.02)


def killed_and_resumed(tmp_path, arguments, times, seed):
    """Digests of a run that is killed so many times, each time at a random moment, and of one that is not.

    `arguments(out)` is a command that starts the run, or continues it where there is one.
    """
    chance = random.Random(seed)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    finish(arguments(whole))
    for number in range(times):
        process = start(arguments(broken))
        wait_for_checkpoint(process, broken)
        time.sleep(chance.uniform(0, 0.5) + (4 if number else 0))  # the second time it must first come back up
        process.kill()
        process.wait()
    assert not (broken / "summary.json").exists() or times > 1
    finish(arguments(broken))
    return digest(whole), digest(broken)


def test_a_killed_run_ends_with_the_same_bits(tmp_path):
    whole, broken = killed_and_resumed(
        tmp_path, lambda out: [sys.executable, "-c", FROM_PYTHON, str(out)], times=1, seed=1
    )
    assert whole == broken


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_run_on_gaussians_killed_twice_ends_with_the_same_bits(tmp_path, seed):
    options = ["--steps", 400, "--checkpoint-every", 20, "--rank", 2, "--resume", "auto"]
    whole, broken = killed_and_resumed(tmp_path, lambda out: command("gaussians", out, *options), times=2, seed=seed)
    assert whole == broken


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_a_run_on_records_with_worker_processes_ends_with_the_same_bits(tmp_path, prepared, seed):
    options = ["--data", prepared, "--workers", 2, "--steps", 3000, "--checkpoint-every", 100, "--batch-size", 16]
    whole, broken = killed_and_resumed(
        tmp_path, lambda out: command("images", out, *options, "--resume", "auto"), times=2, seed=seed
    )
    assert whole == broken
    threads = tmp_path / "threads"
    finish(command("images", threads, *options, "--workers", 0))
    assert digest(threads) == whole


def test_sigterm_saves_a_checkpoint_and_says_so(tmp_path):
    out = tmp_path / "run"
    process = start(command("digits", out, "--steps", 100_000, "--checkpoint-every", 100))
    wait_for_checkpoint(process, out)
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "Traceback" not in said
    step = int(said.split("the checkpoint of step ")[1].split()[0])
    assert (out / "checkpoints" / str(step)).is_dir()
    assert (out / "UNFINISHED").exists()
