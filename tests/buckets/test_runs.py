"""Runs whose folder and data are in a bucket."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
from flax import nnx
from PIL import Image

from fastrrae import (
    RRAE,
    Dataset,
    NetworkConfig,
    RunConfig,
    RunFolder,
    ShardingConfig,
    TrainingConfig,
    load_run,
    train,
)
from fastrrae.buckets.address import Objects
from fastrrae.cli import run_command
from fastrrae.config import DataConfig
from fastrrae.data import load_dataset
from fastrrae.data.pipeline import Share, ShuffledBatches
from fastrrae.data.records import RecordSamples
from fastrrae.data.staged_records import StagedRecordSamples
from fastrrae.training.callbacks import Callback
from fastrrae.training.metrics_log import read_metrics
from fastrrae.training.state_arrays import flatten

RUN = "from fastrrae.cli import main; main()"
SMALL = "--network mlp --encoder-widths 8 --decoder-widths 8 --rank 2 --latent-size 4 --batch-size 16 --log-every 5"
SMALL = [*SMALL.split(), "--protocol", "brief", "--checkpoint-every", "10"]


def environment(devices):
    flags = f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count={devices}"
    return os.environ | {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags}


def start(arguments, devices=1):
    return subprocess.Popen(
        [sys.executable, "-c", RUN, *arguments],
        env=environment(devices),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process, code=0):
    said, _ = process.communicate(timeout=300)
    assert process.returncode == code, said
    return said


@pytest.fixture
def prepared(tmp_path, monkeypatch):
    """A prepared folder of 120 images in several shards."""
    source, rng = tmp_path / "images", np.random.default_rng(0)
    source.mkdir()
    monkeypatch.setattr("fastrrae.prepare.shards.SHARD_BYTES", 16 * 8 * 8 * 3)
    for index in range(120):
        Image.fromarray(rng.integers(0, 255, (8, 8, 3), np.uint8)).save(source / f"{index:03d}.png")
    out = tmp_path / "records"
    assert run_command(["prepare", "images", str(source), str(out), "--size", "8"]) == 0
    return out


def upload(folder, address):
    objects = Objects(address)
    for path in folder.iterdir():
        if path.is_file():
            objects.send(path, path.name)


def checkpoint_names(address):
    return [name for name in Objects(address).names() if name.startswith("checkpoints/")]


def digest(path):
    return json.loads(RunFolder(path).summary.read_text())["parameters_sha256"]


def test_a_training_in_a_bucket(s3, tmp_path):
    """Interrupted after its first checkpoint and resumed; then opened."""
    x = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    dataset, stop = Dataset.from_arrays(x), StopAt(8)
    config = RunConfig(
        "array",
        model=RRAE(rank=2, latent_size=4),
        network=NetworkConfig(encoder_widths=(8,), decoder_widths=(8,)),
        training=TrainingConfig(steps=12, batch_size=8, log_every=4, checkpoint_every=4),
        sharding=ShardingConfig(data_devices=1),
    )
    with pytest.raises(KeyboardInterrupt):
        train(config, dataset, s3 + "/run", callbacks=[stop], quiet=True)
    names = set(Objects(s3 + "/run").names())
    assert {"UNFINISHED", "config.json", "checkpoints/4/COMPLETE"} <= names
    assert "summary.json" not in names
    train(config, dataset, s3 + "/run", resume=True, quiet=True)
    train(config, dataset, tmp_path / "run", quiet=True)
    assert digest(s3 + "/run") == digest(tmp_path / "run")
    assert not {"UNFINISHED", ".lock"} & set(Objects(s3 + "/run").names())
    np.testing.assert_array_equal(load_run(s3 + "/run").coefficients(x), load_run(tmp_path / "run").coefficients(x))


class StopAt(Callback):
    def __init__(self, step):
        self.step = step

    def on_log(self, row):
        if row["step"] == self.step:
            raise KeyboardInterrupt


@pytest.mark.slow
def test_a_run_in_a_bucket_is_that_of_a_disk(s3, tmp_path, faults, capsys):
    options = [*SMALL, "--steps", "20", "--data-devices", "1"]
    calls = iter(range(10**6))
    faults.fail = lambda request: next(calls) % 7 == 3
    assert run_command(["train", "digits", "--out", s3 + "/run", *options]) == 0
    assert f"report: {s3}/run/report.html" in capsys.readouterr().out
    assert faults.failed > 3
    faults.reset()
    assert run_command(["train", "digits", "--out", str(tmp_path / "run"), *options]) == 0
    assert digest(s3 + "/run") == digest(tmp_path / "run")
    names = set(Objects(s3 + "/run").names())
    assert {"config.json", "metrics.jsonl", "summary.json", "report.html", "evaluation.json", "SHA256SUMS"} <= names
    assert {"checkpoints/10/COMPLETE", "checkpoints/20/COMPLETE"} <= names
    assert not {"UNFINISHED", ".lock"} & names
    run = load_run(s3 + "/run")
    assert run.sample(3).shape == (3, 8, 8, 1)
    np.testing.assert_array_equal(run.sample(3), load_run(tmp_path / "run").sample(3))
    assert run_command(["evaluate", s3 + "/run", "--protocol", "brief"]) == 0
    assert run_command(["train", "digits", "--out", s3 + "/run", *options]) == 1
    assert f"{s3}/run already holds a finished run" in capsys.readouterr().err


@pytest.mark.slow
def test_killed_in_the_middle_of_a_checkpoint(s3, tmp_path, faults):
    options = [*SMALL, "--steps", "60", "--data-devices", "1"]
    assert run_command(["train", "digits", "--out", str(tmp_path / "run"), *options]) == 0
    out, reached = s3 + "/run", []

    def hold_back(request):
        """Let nothing of the third checkpoint but two of its files through."""
        if "PUT" in request and "/checkpoints/30/" in request:
            reached.append(request)
            time.sleep(600 if len(reached) > 2 else 0)
        return False

    faults.fail = hold_back
    process = start(["train", "digits", "--out", out, *options])
    while len(reached) < 3 and process.poll() is None:
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    faults.reset()
    left = checkpoint_names(out)
    assert any(name.startswith("checkpoints/30/") for name in left)
    assert "checkpoints/30/COMPLETE" not in left
    assert "summary.json" not in Objects(out).names()
    said = finish(start(["train", "digits", "--out", out, "--resume", "auto", *options]))
    assert "damaged" not in said
    assert digest(out) == digest(tmp_path / "run")
    assert {name.split("/")[1] for name in checkpoint_names(out)} == {"50", "60"}
    assert [row["step"] for row in read_metrics(RunFolder(out).metrics)] == list(range(5, 61, 5))


@pytest.mark.slow
def test_a_damaged_checkpoint_is_skipped(s3, tmp_path, capsys):
    options = [*SMALL, "--steps", "30", "--data-devices", "1"]
    out = s3 + "/run"
    assert run_command(["train", "digits", "--out", out, *options]) == 0
    before = digest(out)
    objects = Objects(out)
    largest = max((n for n in checkpoint_names(out) if "/30/" in n), key=lambda n: len(objects.read(n)))
    objects.write(largest, objects.read(largest)[:-1] + b"?")
    objects.remove("summary.json")
    assert run_command(["train", "digits", "--out", out, "--resume", *options]) == 0
    assert "step 30" in capsys.readouterr().out
    assert digest(out) == before


def parameters(path):
    return flatten(nnx.state(load_run(path).model, nnx.Param))


def furthest(run, other):
    """The largest difference of two runs' parameters, in root mean squares of the array that it is in."""
    ours, theirs = parameters(run), parameters(other)
    assert ours.keys() == theirs.keys()
    return max(
        float(np.abs(ours[name] - theirs[name]).max() / np.sqrt(np.mean(np.square(theirs[name])))) for name in theirs
    )


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2])
def test_processes_are_killed_and_one_goes_on(s3, tmp_path, prepared, faults, count):
    """Folder and data in a bucket, slow and failing now and then: `count` processes of two devices, then one of one.

    One process of one device gives the bits of a run on a disk that nothing interrupts. Two processes sum over four
    devices in another order: their parameters are the same to rounding, which 80 steps of Adam make larger.
    """
    upload(prepared, s3 + "/records")
    options = [*SMALL, "--shard-window", "2"]
    on_disk = ["train", "images", "--data", str(prepared), "--data-devices", "1", *options]
    assert run_command([*on_disk, "--out", str(tmp_path / "run"), "--steps", "80"]) == 0
    out, calls = s3 + "/run", iter(range(10**6))
    faults.delay, faults.fail = 0.02, lambda request: next(calls) % 50 == 7
    common = ["train", "images", "--data", s3 + "/records", "--out", out, *options, "--steps", "80"]
    if count == 1:
        processes = [start(common)]
    else:
        with socket.socket() as probe:
            probe.bind(("localhost", 0))
            several = ["--coordinator", f"localhost:{probe.getsockname()[1]}", "--processes", "2"]
        processes = [start([*common, *several, "--process-id", str(index)], devices=2) for index in range(2)]
    while not any("/COMPLETE" in name for name in checkpoint_names(out)):
        assert all(process.poll() is None for process in processes), [p.communicate()[0] for p in processes]
        time.sleep(0.1)
    for process in processes:
        process.kill()
        process.communicate()
    assert "summary.json" not in Objects(out).names()
    finish(start([*common, "--resume", "auto"]))
    assert faults.failed > 3
    if count == 1:
        assert digest(out) == digest(tmp_path / "run")
        return
    assert run_command([*on_disk, "--out", str(tmp_path / "shorter"), "--steps", "79"]) == 0
    assert furthest(out, tmp_path / "run") < 1e-5 < 1e-3 < furthest(tmp_path / "shorter", tmp_path / "run")


@pytest.mark.slow
def test_every_command_takes_an_address(gcs, prepared, tmp_path):
    upload(prepared, gcs + "/records")
    out = gcs + "/run"
    commands = [
        ["train", "images", "--data", gcs + "/records", "--out", out, "--steps", "20", "--data-devices", "1", *SMALL],
        ["continue", out, "--steps", "5"],
        ["evaluate", out, "--step", "10"],
        ["sample", out, "--count", "4", "--out", str(tmp_path / "samples.png")],
        ["interpolate", out, "--out", str(tmp_path / "path.png")],
        ["traverse", out, "--out", str(tmp_path / "traverse.png")],
        ["encode", out, "--out", str(tmp_path / "coefficients.npy")],
        ["compare", out, out + "-continued", "--out", str(tmp_path / "comparison.md")],
        ["card", out],
    ]
    for command in commands:
        assert run_command(command) == 0, command
    assert {"README.md", "evaluation-10.json"} <= set(Objects(out).names())


@pytest.mark.slow
def test_shards_are_staged_by_share_and_within_a_bound(s3, prepared, tmp_path, monkeypatch):
    upload(prepared, s3 + "/records")
    read, original = [], Objects.fetch
    monkeypatch.setattr(Objects, "fetch", lambda self, name, file: (read.append(name), original(self, name, file)))
    limit = 3 * max(path.stat().st_size for path in prepared.glob("*.arrayrecord"))
    staged = load_dataset(DataConfig("records", s3 + "/records", staging_gib=limit / 2**30)).train
    local = load_dataset(DataConfig("records", str(prepared))).train
    np.testing.assert_array_equal(staged[:], local[:])
    assert isinstance(staged, StagedRecordSamples)
    folder = staged._staged._folder
    taken = sum(path.stat().st_size for path in folder.glob("*.arrayrecord"))
    assert 0 < taken <= limit
    assert len(read) > len(list(folder.glob("*.arrayrecord")))
    whole = ShuffledBatches(local, 16, 0, 100, Share(), shard_window=2)
    for index in range(8):
        parts = [ShuffledBatches(staged, 16, 0, 100, Share(n, 2), shard_window=2)[index] for n in range(2)]
        np.testing.assert_array_equal(np.concatenate(parts), whole[index])


def test_windows_of_shards_hold_every_sample_once(prepared):
    samples = load_dataset(DataConfig("records", str(prepared))).train
    batches = ShuffledBatches(samples, 8, 3, 100, Share(), shard_window=2)
    chosen = [batches._chosen(index) for index in range(len(samples) * 2 // 8)]
    epochs = np.concatenate(chosen).reshape(2, -1)
    for epoch in epochs:
        np.testing.assert_array_equal(np.sort(epoch), np.arange(len(samples)))
    assert not np.array_equal(epochs[0], epochs[1])
    assert isinstance(samples, RecordSamples)
    shards = samples.shard_numbers()
    assert all(len(np.unique(shards[rows])) <= 4 for rows in chosen)  # two windows, where a batch lies across
    own = [batches._chosen(index)[:4] for index in range(len(samples) // 8)]
    spread = np.mean([len(np.unique(shards[rows])) for rows in own])
    assert spread < 2
