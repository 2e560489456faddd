"""Every benchmark runs, at a small size, and writes what its tables are made of."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# The arguments of a quick run, and a key that each of its rows must have.
BENCHMARKS = {
    "train_step.py": (["--recipes", "digits", "--repeats", "1"], "rows", "median_ms"),
    "svd.py": (["--shapes", "gaussians", "--stack", "0", "--repeats", "1"], "rows", "forward_ms"),
    "gradients.py": ([], "rows", "error"),
    "surrogates.py": (["--smoke"], "rows", "predicted"),
    "data.py": (["--count", "60"], "reading", "images_per_second"),
}


@pytest.mark.slow
@pytest.mark.parametrize("script", BENCHMARKS)
def test_a_benchmark_runs(script, tmp_path):
    options, rows, key = BENCHMARKS[script]
    out = tmp_path / "result.json"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "kernels")]), "XLA_FLAGS": ""}
    command = [sys.executable, str(ROOT / "bench" / script), "--out", str(out), *options]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(out.read_text())
    assert result[rows]
    assert all(key in row for row in result[rows])
    assert {"versions", "commit"} <= set(result["machine"])


def test_committed_results_say_where_they_come_from():
    for path in (ROOT / "bench" / "results").glob("*.json"):
        result = json.loads(path.read_text())
        assert {"machine", "versions", "command"} & set(result), path.name
