"""A hundred SIGKILLs at random moments: the same command goes on, and in the end there are the same bits as without."""

import csv
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fastrrae.cli import run_command

pytestmark = pytest.mark.slow

# A command says when it has started, so that kills fall into its work instead of into imports.
COMMAND = "import sys; from fastrrae.cli import main; print('ready', flush=True); main()"
# An evaluation with few draws, and few steps of the classifier that is trained for it.
SMALL_EVALUATION = """
from fastrrae.evaluation import PROTOCOLS
from fastrrae.features import FeatureTraining, default
PROTOCOLS["vrrae"] = PROTOCOLS["vrrae"].scaled_down(100)
default.FeatureTraining = lambda: FeatureTraining(steps=100)
"""
SMALL = "--network mlp --encoder-widths 32 --decoder-widths 32 --rank 4 --latent-size 16 --batch-size 16 --log-every 10"
SMALL = [*SMALL.split(), "--data-devices", "1", "--protocol", "brief", "--checkpoint-every", "50"]


def environment(folder: Path) -> dict[str, str]:
    flags = " ".join(flag for flag in os.environ["XLA_FLAGS"].split() if "device_count" not in flag)
    return os.environ | {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags, "XDG_CACHE_HOME": str(folder / "cache")}


def start(arguments: list[str], folder: Path) -> subprocess.Popen:
    before = SMALL_EVALUATION if arguments[0] == "evaluate" else ""
    process = subprocess.Popen(
        [sys.executable, "-c", before + COMMAND, *arguments],
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def finish(arguments: list[str], folder: Path) -> float:
    """Run a command to its end; returns the seconds after it was ready."""
    process = start(arguments, folder)
    began = time.monotonic()
    said, _ = process.communicate(timeout=600)
    assert process.returncode == 0, said
    assert "Traceback" not in said
    return time.monotonic() - began


def kill_after(seconds: float, arguments: list[str], folder: Path) -> bool:
    """Start a command and kill it, with its children; false where it had ended before."""
    process = start(arguments, folder)
    try:
        said, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return True
    assert process.returncode == 0, said
    return False


def kill_many(kills: int, seed: int, folder: Path, arguments, digest, fresh=None) -> None:
    """Kill a command so many times, each time followed by the same command, and begin again where it has ended.

    Args:
        kills: how many.
        seed: of the moments.
        folder: for what the commands write.
        arguments: the command line for an output folder.
        digest: what must be equal of an output folder in the end.
        fresh: makes an output folder with what the command needs there.
    """
    chance, fresh = random.Random(seed), fresh or (lambda out: None)
    whole = folder / "whole"
    fresh(whole)
    seconds = finish(arguments(whole), folder)
    expected, killed, ended = digest(whole), 0, 0
    out = folder / "broken-0"
    fresh(out)
    while killed < kills:
        if kill_after(chance.uniform(0, seconds), arguments(out), folder):
            killed += 1
            continue
        assert digest(out) == expected
        ended += 1
        out = folder / f"broken-{ended}"
        fresh(out)
    finish(arguments(out), folder)
    assert digest(out) == expected
    print(f"{killed} kills with seed {seed}; {ended + 1} times the end was reached, each time with the same bits")


def digest_of_run(out: Path) -> tuple[str, str]:
    """Of a finished run: its parameters, and the losses that it logged."""
    metrics = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    steps = [row["step"] for row in metrics]
    assert steps == sorted(set(steps))
    losses = json.dumps([(row["step"], row.get("loss")) for row in metrics])
    return json.loads((out / "summary.json").read_text())["parameters_sha256"], losses


def digest_of_files(out: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(out.iterdir()) if path.is_file()
    }


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    source = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for index in range(400):
        Image.fromarray(rng.integers(0, 255, (24, 24, 3), np.uint8)).save(source / f"{index:03d}.png")
    return source


def test_training(tmp_path):
    """With validation, early stopping, a CSV writer and many checkpoints."""
    options = [*SMALL, "--steps", "2000", "--validate-every", "100", "--validation-fraction", "0.1", "--csv"]
    kill_many(
        30, 0, tmp_path, lambda out: ["train", "digits", "--out", str(out), "--resume", "auto", *options], digest_of_run
    )


def test_training_with_worker_processes(tmp_path, images):
    records = tmp_path / "records"
    assert run_command(["prepare", "images", str(images), str(records), "--size", "12"]) == 0
    options = ["--data", str(records), "--workers", "2", "--steps", "1000", *SMALL]
    kill_many(
        20, 1, tmp_path, lambda out: ["train", "images", "--out", str(out), "--resume", "auto", *options], digest_of_run
    )


def test_prepare(tmp_path, images):
    kill_many(
        20, 2, tmp_path, lambda out: ["prepare", "images", str(images), str(out), "--size", "24"], digest_of_files
    )


def test_evaluate(tmp_path):
    """The cache is deleted for each folder, so that the classifier for the FID is trained again."""
    run = tmp_path / "run"
    assert run_command(["train", "digits", "--out", str(run), "--steps", "200", *SMALL]) == 0

    def fresh(out: Path) -> None:
        shutil.rmtree(tmp_path / "cache", ignore_errors=True)
        shutil.copytree(run, out)

    def digest(out: Path) -> object:
        assert run_command(["sample", str(out), "--count", "2", "--out", str(tmp_path / "samples.npy")]) == 0
        return json.loads((out / "evaluation.json").read_text())

    kill_many(15, 3, tmp_path, lambda out: ["evaluate", str(out), "--protocol", "vrrae"], digest, fresh)


def test_sweep(tmp_path):
    """Two runs side by side; those that were started end with the command that started them."""
    options = [*SMALL, "--protocol", "brief", "--steps", "300", "--learning-rate", "1e-3", "2e-3", "--jobs", "2"]

    def digest(out: Path) -> object:
        rows = csv.DictReader((out / "sweep.csv").read_text(encoding="utf-8").splitlines())
        return [(digest_of_run(out / row["run"]), row["state"], row["test error, %"]) for row in rows]

    kill_many(15, 4, tmp_path, lambda out: ["sweep", "digits", *options, "--out", str(out)], digest)
