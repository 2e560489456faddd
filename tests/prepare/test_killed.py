"""`prepare` killed at random moments: the same call goes on, and in the end there are the same bytes as without."""

import subprocess
import sys
import time

import numpy as np
import pytest

from fastrrae.data.records import load_records
from fastrrae.prepare import list_celeba, prepare

KILLS, SEED = 8, 0
SCRIPT = """
import sys
from pathlib import Path
import fastrrae.prepare.shards as shards
from fastrrae.prepare import list_celeba, prepare
shards.SHARD_BYTES = 3 * 16 * 16 * 3
collection = list_celeba(Path(sys.argv[1]), size=16, crop=148)
print("ready", flush=True)
prepare(collection, Path(sys.argv[2]), workers=1)
"""


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_in_the_same_bytes(celeba, tmp_path, monkeypatch):
    rng = np.random.default_rng(SEED)
    monkeypatch.setattr("fastrrae.prepare.shards.SHARD_BYTES", 3 * 16 * 16 * 3)
    collection = list_celeba(celeba, size=16, crop=148)
    start = time.monotonic()
    whole = prepare(collection, tmp_path / "whole").manifest
    seconds = time.monotonic() - start
    killed = 0
    for _ in range(KILLS):
        command = [sys.executable, "-c", SCRIPT, str(celeba), str(tmp_path / "out")]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(rng.uniform(0, 1.5 * seconds))
        process.kill()
        killed += process.wait() != 0
        process.stdout.close()
    done = prepare(collection, tmp_path / "out")
    print(f"{killed} of {KILLS} calls killed in time, seed {SEED}; {done.kept} shards were whole before the last call")
    assert killed
    assert done.manifest == whole
    assert not [path for path in (tmp_path / "out").iterdir() if path.suffix == ".partial"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        path.name for path in (tmp_path / "whole").iterdir()
    )
    np.testing.assert_array_equal(
        load_records(str(tmp_path / "out")).train[:], load_records(str(tmp_path / "whole")).train[:]
    )
