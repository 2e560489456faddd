"""Two real processes with two devices each, on this machine: one run, as if they were one process with four devices."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from fastrrae import InputError, RunFolder
from fastrrae.cli import run_command
from fastrrae.processes import ProcessOptions, connect, gather_rows, sum_over_processes
from fastrrae.training.metrics_log import read_metrics

RUN = "from fastrrae.cli import main; main()"
QUICK = ["--network", "mlp", "--encoder-widths", "32", "--decoder-widths", "32", "--rank", "4", "--log-every", "5"]


def environment(devices):
    flags = f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count={devices}"  # the last one counts
    return os.environ | {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags}


def free_port():
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def train_arguments(out: Path, *options):
    return ["train", "digits", "--out", str(out), "--protocol", "brief", *QUICK, *options]


def start_two(out: Path, *options):
    address = f"localhost:{free_port()}"
    command = [sys.executable, "-c", RUN, *train_arguments(out, *options), "--coordinator", address, "--processes", "2"]
    return [
        subprocess.Popen(
            [*command, "--process-id", str(index)],
            env=environment(2),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for index in range(2)
    ]


def finish(processes, timeout=240):
    outputs = [process.communicate(timeout=timeout)[0] for process in processes]
    return [process.returncode for process in processes], outputs


def losses(out):
    return [(row["step"], row["loss"]) for row in read_metrics(RunFolder(out).metrics)]


def test_two_processes_give_the_losses_of_one(tmp_path, without_pictures):
    options = ["--steps", "20", "--checkpoint-every", "10", "--model-devices", "2"]
    codes, outputs = finish(start_two(tmp_path / "two", *options))
    assert codes == [0, 0], outputs
    assert "report: " in outputs[0]
    assert "step" not in outputs[1]  # only the first one speaks
    assert run_command([*train_arguments(tmp_path / "one", *options), "--data-devices", "2"]) == 0  # in this process
    np.testing.assert_allclose(losses(tmp_path / "two"), losses(tmp_path / "one"), rtol=1e-4)
    errors = [
        json.loads((tmp_path / name / "evaluation.json").read_text())["reconstruction_error"] for name in ("two", "one")
    ]
    assert errors[0] == pytest.approx(errors[1], rel=1e-3)
    with np.load(tmp_path / "two" / "latent.npz") as two, np.load(tmp_path / "one" / "latent.npz") as one:
        np.testing.assert_allclose(two["singular_values"], one["singular_values"], rtol=1e-3, atol=1e-3)
        assert two["coefficients"].shape == one["coefficients"].shape == (1437, 4)


@pytest.mark.slow
@pytest.mark.parametrize("lost", [0, 1])
def test_when_one_process_is_killed_the_other_stops_and_both_resume(tmp_path, lost):
    out = tmp_path / "run"
    processes = start_two(out, "--steps", "400", "--checkpoint-every", "10")
    while not (out / "checkpoints" / "20").is_dir():
        assert all(process.poll() is None for process in processes)
        time.sleep(0.1)
    processes[lost].kill()
    codes, outputs = finish(processes, timeout=120)
    assert codes[1 - lost] not in (0, None)
    said = outputs[1 - lost]
    assert "another process of this run has stopped" in said or "another task died" in said
    codes, outputs = finish(start_two(out, "--steps", "400", "--checkpoint-every", "10", "--resume"))
    assert codes == [0, 0], outputs
    assert losses(out)[-1][0] == 400


@pytest.mark.slow
def test_an_error_of_the_first_process_ends_all(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("irreplaceable")
    codes, outputs = finish(start_two(tmp_path / "run", "--steps", "20"), timeout=120)
    assert codes == [1, 1], outputs
    assert all("already holds something" in output for output in outputs)


def test_alone_everything_is_its_own():
    rows = np.arange(6.0).reshape(3, 2)
    assert gather_rows(rows) is rows
    assert sum_over_processes(rows) is rows


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (ProcessOptions(coordinator="localhost:1"), "belong together; `processes`, `process_id` missing"),
        (ProcessOptions("localhost:1", 2, 2), "`process_id` must be from 0 to `processes` - 1 = 1; got 2"),
        (ProcessOptions(processes=2), "belong together; `coordinator`, `process_id` missing"),
    ],
)
def test_half_an_address_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        connect(options)


def test_a_variable_that_is_no_number_is_named(monkeypatch):
    monkeypatch.setenv("JAX_NUM_PROCESSES", "two")
    with pytest.raises(InputError, match=r"JAX_NUM_PROCESSES \(or `processes`\) must be a number; got 'two'"):
        connect(ProcessOptions("localhost:1"))
