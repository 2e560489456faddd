"""A sweep in a bucket: killed, it goes on from its finished runs, in other processes, to the table of one on a disk."""

import csv
import io
import signal
import subprocess
import sys
import time

import pytest

from fastrrae import RunFolder
from fastrrae.buckets.address import Objects
from fastrrae.cli import run_command

SWEEP = "sweep digits --rank 2 3 --network mlp --encoder-widths 8 --decoder-widths 8 --latent-size 4 --steps 30"
SWEEP = [*SWEEP.split(), "--batch-size", "16", "--data-devices", "1", "--protocol", "brief", "--checkpoint-every", "10"]


def table(text):
    """The rows of sweep.csv, without the times."""
    return [{**row, "seconds": ""} for row in csv.DictReader(io.StringIO(text))]


@pytest.mark.slow
def test_a_killed_sweep_goes_on(s3, tmp_path, capfd):
    out, objects = s3 + "/sweep", Objects(s3 + "/sweep")
    assert run_command([*SWEEP, "--out", str(tmp_path / "sweep")]) == 0
    command = [sys.executable, "-c", "from fastrrae.cli import main; main()", *SWEEP, "--out", out]
    process = subprocess.Popen(command)
    while "rank=3_seed=0/UNFINISHED" not in objects.names() and process.poll() is None:
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert "rank=2_seed=0/summary.json" in objects.names()
    assert "sweep.md" not in objects.names()
    capfd.readouterr()
    assert run_command([*SWEEP, "--out", out, "--jobs", "2"]) == 0
    said = capfd.readouterr().out
    assert "2 runs, 1 of them finished" in said
    assert f"rank=3_seed=0: log in {out}/logs/rank=3_seed=0.log" in said
    assert f"report: {out}/report.html" in said
    names = set(objects.names())
    assert {"sweep.json", "sweep.csv", "sweep.md", "report.html", "figures/errors.png"} <= names
    assert not {name for name in names if name.endswith((".lock", "UNFINISHED"))}
    assert table(objects.read("sweep.csv").decode()) == table((tmp_path / "sweep" / "sweep.csv").read_text())
    for run in ("rank=2_seed=0", "rank=3_seed=0"):
        found = [RunFolder(f"{place}/{run}").load_summary() for place in (out, tmp_path / "sweep")]  # pyright: ignore
        assert found[0]["parameters_sha256"] == found[1]["parameters_sha256"]


@pytest.mark.slow
def test_a_run_that_fails_is_listed_by_its_address(s3, capsys):
    out = s3 + "/sweep"
    assert run_command([*SWEEP[:4], *SWEEP[5:], "--learning-rate", "1e-3", "1e30", "--out", out]) == 1
    said = capsys.readouterr()
    assert "of the runs in " + out in said.err
    text = Objects(out).read("sweep.json").decode() + Objects(out).read("sweep.md").decode() + said.err + said.out
    assert "diverged" in text or "NaN" in text
    assert "/tmp" not in text
