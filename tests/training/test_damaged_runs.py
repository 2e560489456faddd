"""Accidents with run folders: nothing is silently wrong, nothing is lost, and every message names the remedy."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from fastrrae import InputError, RunFolder, build_model, evaluate, load_run, train
from fastrrae.evaluation import PROTOCOLS
from fastrrae.folder_lock import exclusive
from fastrrae.models import BasisNotFitted
from fastrrae.training.checkpoint import CheckpointStore
from fastrrae.training.restore import restore_step


def damage(checkpoint):
    for path in checkpoint.rglob("d/*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[:50])


@pytest.fixture
def finished(tmp_path, config, dataset):
    folder = RunFolder(tmp_path / "run")
    train(config, dataset, folder)
    return folder


def test_a_finished_run_whose_last_checkpoint_is_damaged_is_not_opened_at_an_older_one(
    finished, config, dataset, digest, capsys
):
    whole = digest(finished)
    damage(finished.checkpoints / "20")
    with pytest.raises(InputError, match=r"final checkpoint \(step 20\) .* missing or damaged .*continue the run with"):
        load_run(finished.root)
    train(config, dataset, finished, resume=True)  # the remedy
    assert "final checkpoint" in capsys.readouterr().out
    assert digest(finished) == whole
    assert (finished.root / "damaged-checkpoint-20").is_dir()
    assert load_run(finished.root).sample(2).shape == (2, 12)
    damage(finished.checkpoints / "20")
    train(config, dataset, finished, resume=True)  # damaged twice at the same step
    assert digest(finished) == whole
    assert (finished.root / "damaged-checkpoint-20-2").is_dir()


def test_a_checkpoint_on_the_way_has_no_basis(finished, config):
    model = build_model(config.model, (12,), network=config.network)
    restore_step(model, finished, 10)
    with pytest.raises(BasisNotFitted):
        model.reconstruct(np.zeros((2, 12), np.float32))


@pytest.mark.parametrize("name", ["config.json", "data.json", "latent.npz", "summary.json"])
@pytest.mark.parametrize("left", [0, 0.5])
def test_a_file_that_was_cut_short_is_named(finished, name, left):
    path = finished.root / name
    content = path.read_bytes()
    path.write_bytes(content[: int(left * len(content))])
    with pytest.raises(InputError) as error:
        load_run(finished.root)
    assert name in str(error.value)
    assert "damaged" in str(error.value)


def test_a_lost_latent_file_is_written_again_by_the_remedy_that_the_message_names(finished, config, dataset):
    finished.latent.write_bytes(b"")
    with pytest.raises(InputError, match=r"latent\.npz is damaged .* Delete .*summary\.json and continue"):
        load_run(finished.root)
    finished.summary.unlink()
    train(config, dataset, finished, resume=True)
    assert load_run(finished.root).training_coefficients.shape == (50, 2)


def test_other_values_of_the_same_shape_are_not_the_data_of_the_run(finished, config, dataset):
    other = replace(dataset, train=dataset.train + np.float32(1e-3))
    with pytest.raises(InputError, match=r"the data is not that of the run .*fingerprint: .* then, .* now"):
        evaluate(load_run(finished.root), other, protocol=PROTOCOLS["brief"])
    with pytest.raises(InputError, match="fingerprint"):
        train(config, other, finished, resume=True)
    assert not finished.evaluation.exists()


def test_a_data_set_made_in_python_is_recorded_as_such(finished):
    assert json.loads(finished.config.read_text())["data"]["source"] == "own"


@pytest.mark.parametrize("left", [(), ("UNFINISHED",), ("UNFINISHED", "figures", "data.json")])
def test_a_start_that_was_killed_early_can_be_started_again(tmp_path, config, dataset, left):
    folder = RunFolder(tmp_path / "run")
    folder.root.mkdir()
    for name in left:
        (folder.root / name).mkdir() if name == "figures" else (folder.root / name).write_text("")
    train(config, dataset, folder)
    assert folder.summary.is_file()


def test_one_process_at_a_time(tmp_path, config, dataset):
    folder = RunFolder(tmp_path / "run")
    code = (
        "import sys, time; from pathlib import Path; from fastrrae.folder_lock import exclusive\n"
        f"with exclusive(Path({str(folder.root)!r})):\n    print('held', flush=True); time.sleep(60)"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(InputError, match=rf"is in use by process {holder.pid} on \S+: wait until it has finished"):
            train(config, dataset, folder)
    finally:
        holder.kill()
        holder.wait()
    train(config, dataset, folder)  # the lock of a dead process holds nobody up
    with exclusive(folder.root), pytest.raises(InputError, match="is in use by"):
        train(config, dataset, folder, overwrite=True)
    assert folder.summary.is_file()
    assert not (folder.root / ".lock-holder").exists()


def test_a_run_made_with_64_bit_types_opens_without_them(tmp_path):
    code = (
        "import sys, numpy as np\nfrom fastrrae import *\n"
        "x = np.random.default_rng(0).standard_normal((40, 6))\n"
        "config = RunConfig('x', model=RRAE(rank=2, latent_size=4), network=NetworkConfig('mlp', (8,), (8,)),\n"
        "                   training=TrainingConfig(steps=4, batch_size=8))\n"
        "train(config, Dataset.from_arrays(x), sys.argv[1])"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "JAX_ENABLE_X64": "1", "XLA_FLAGS": ""}
    environment |= {"JAX_DEFAULT_PRNG_IMPL": "rbg"}
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "run")], env=environment, check=True, timeout=300)
    run = load_run(tmp_path / "run")
    assert np.linalg.matrix_rank(np.asarray(run.model.bottleneck.basis[...])) == 2  # pyright: ignore
    assert len(np.unique(run.sample(3), axis=0)) == 3


def test_a_write_that_failed_does_not_stop_the_next_session(tmp_path, config, dataset, monkeypatch):
    folder = RunFolder(tmp_path / "run")
    save = CheckpointStore.save

    def full_disk(store, checkpoint, *metrics):
        if checkpoint.step == 20:
            raise InputError("no space left")
        save(store, checkpoint, *metrics)

    with monkeypatch.context() as patch:
        patch.setattr(CheckpointStore, "save", full_disk)
        with pytest.raises(InputError, match="no space left"):
            train(config, dataset, folder)
    train(config, dataset, folder, resume=True)
    assert folder.summary.is_file()
