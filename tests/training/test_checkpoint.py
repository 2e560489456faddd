"""Checkpoints: whole or skipped, of this model or refused, and never lost to a disk that is full."""

import json
import resource
import shutil
import signal

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fastrrae import InputError, RunFolder, load_run, train
from fastrrae.training.checkpoint import Checkpoint, CheckpointStore
from fastrrae.training.fingerprint import fingerprints

ARRAYS = {"b": jnp.arange(60_000.0).reshape(300, 200), "a": jnp.array(3), "key": jnp.array([1, 2], jnp.uint32)}


def write(folder, *steps, **options):
    with CheckpointStore(folder, **options) as store:
        for step in steps:
            arrays = {name: array + jnp.asarray(step, array.dtype) for name, array in ARRAYS.items()}
            store.save(Checkpoint(step, arrays, {"batches": step}), {"reconstruction": 10.0 - (step % 3)})


def read(folder, **options):
    said = []
    with CheckpointStore(folder, alone=True, report=said.append) as store:
        return store.restore_newest(**options), said


def test_what_was_saved_comes_back(tmp_path):
    write(tmp_path / "c", 1, 2)
    checkpoint, said = read(tmp_path / "c")
    assert (checkpoint.step, checkpoint.progress, said) == (2, {"batches": 2}, [])
    np.testing.assert_array_equal(checkpoint.arrays["b"], ARRAYS["b"] + 2)
    assert checkpoint.arrays["a"].dtype == jnp.int32


@pytest.mark.parametrize("keep", [{}, {"keep_last": 3}, {"keep_last": 1, "keep_best": 2}])
def test_the_newest_and_the_best_are_kept(tmp_path, keep):
    write(tmp_path / "c", *range(1, 8), **keep)
    kept = sorted(int(path.name) for path in (tmp_path / "c").iterdir())
    assert kept == {2: [6, 7], 3: [5, 6, 7], 1: [2, 5, 7]}[keep.get("keep_last", 2)]


def data_files(checkpoint):
    return sorted(path for path in checkpoint.rglob("*") if path.is_file() and path.parent.name == "d")


def flip(checkpoint):
    """One bit in the largest file, wherever it is that the values lie."""
    path = max(data_files(checkpoint), key=lambda path: path.stat().st_size)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def cut(checkpoint):
    """The first bytes of every file: of a small checkpoint the largest may be one that nothing refers to any more."""
    for path in data_files(checkpoint):
        path.write_bytes(path.read_bytes()[: min(100, path.stat().st_size // 2)])


def lose(checkpoint):
    for path in data_files(checkpoint):
        path.unlink()


@pytest.mark.parametrize("damage", [flip, cut, lose, lambda c: shutil.rmtree(c / "description")])
def test_a_damaged_checkpoint_is_reported_and_the_one_before_is_used(tmp_path, damage):
    write(tmp_path / "c", 1, 2)
    damage(tmp_path / "c" / "2")
    checkpoint, said = read(tmp_path / "c")
    assert checkpoint.step == 1
    np.testing.assert_array_equal(checkpoint.arrays["b"], ARRAYS["b"] + 1)
    assert len(said) == 1
    assert "the checkpoint of step 2 in" in said[0]
    assert "is damaged and skipped" in said[0]
    damage(tmp_path / "c" / "1")
    with pytest.raises(InputError, match="holds no checkpoint that is whole"):
        read(tmp_path / "c")


def test_another_model_is_named(tmp_path):
    write(tmp_path / "c", 1)
    expected = {name: jax.ShapeDtypeStruct(array.shape, array.dtype) for name, array in ARRAYS.items()}
    expected["b"] = jax.ShapeDtypeStruct((300, 100), jnp.float32)
    expected["new"] = expected.pop("key")
    with pytest.raises(
        InputError, match=r"of another model .*b: \(300, 100\) here, \(300, 200\) saved; key: absent here"
    ):
        read(tmp_path / "c", expected=expected)


def test_another_version_is_named(tmp_path):
    write(tmp_path / "c", 1)
    files = (tmp_path / "c" / "1" / "description").iterdir()
    path = next(path for path in files if path.read_text().startswith('{"format'))
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 99}))
    with pytest.raises(InputError, match="has the format 99; this version of fastrrae reads 2 and 3"):
        read(tmp_path / "c")
    (tmp_path / "c" / "1" / "description").rename(tmp_path / "c" / "1" / "progress")
    with pytest.raises(InputError, match="has the format 1; this version"):
        read(tmp_path / "c")


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int32, np.uint8, np.bool_])
def test_a_fingerprint_sees_every_change(dtype):
    values = np.random.default_rng(0).integers(0, 2, (5, 7, 3)).astype(dtype)
    print_of = fingerprints({"x": values})["x"]
    for index in np.ndindex(values.shape):
        changed = values.copy()
        changed[index] = 1 - changed[index]
        assert fingerprints({"x": changed})["x"] != print_of
    first, last = values.copy(), (0, 0, 0)
    first[last], first[4, 6, 2] = 0, 1
    swapped = first.copy()
    swapped[last], swapped[4, 6, 2] = 1, 0
    assert fingerprints({"x": first}) != fingerprints({"x": swapped})


def test_a_fingerprint_does_not_see_the_layout():
    mesh = jax.make_mesh((8,), ("data",))
    values = np.random.default_rng(0).standard_normal((16, 24)).astype(np.float32)
    for spec in (jax.P("data"), jax.P(None, "data"), jax.P()):
        placed = jax.device_put(values, jax.NamedSharding(mesh, spec))
        assert fingerprints({"x": placed}) == fingerprints({"x": values})


def test_a_resumed_run_sets_the_damaged_checkpoint_aside(tmp_path, config, dataset, digest, capsys):
    whole, folder = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "run")
    train(config, dataset, whole)
    train(config, dataset, folder)
    folder.summary.unlink()
    cut(folder.checkpoints / "20")
    train(config, dataset, folder, resume=True)
    assert "the checkpoint of step 20 in" in capsys.readouterr().out
    assert (folder.root / "damaged-checkpoint-20").is_dir()
    assert digest(folder) == digest(whole)
    assert load_run(folder.root).config == load_run(whole.root).config


def test_a_full_disk_is_one_message_and_keeps_the_last_checkpoint(tmp_path):
    """Files may grow to 64 KiB only, as if the disk were full: a larger second checkpoint cannot be written."""
    small = {"b": jnp.ones(10)}
    large = {"b": jax.random.normal(jax.random.key(0), (300, 200))}
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with CheckpointStore(tmp_path / "c") as store:
            store.save(Checkpoint(1, small, {}))
            store.wait()
            resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, limits[1]))
            store.save(Checkpoint(2, large, {}))
            with pytest.raises(InputError, match=r"cannot be written to .*The checkpoint of step 1 is whole"):
                store.wait()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert read(tmp_path / "c")[0].step == 1
