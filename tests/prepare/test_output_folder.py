"""The folder that is written: finished, interrupted, damaged, of other images, or of an earlier version."""

import json

import array_record.python.array_record_module as array_record_module
import pytest

from fastrrae import DataConfig, InputError, load_dataset
from fastrrae.cli import run_command
from fastrrae.prepare import list_celeba, prepare


def test_after_a_bad_image_is_deleted_the_same_command_goes_on(tmp_path, capsys, put, many):
    source, out = tmp_path / "in", tmp_path / "out"
    put(source, *many(".", 12))
    (source / "7.png").write_bytes(b"no image")
    command = ["prepare", "images", str(source), str(out), "--size", "4"]
    assert run_command(command) == 1
    assert "7.png: not an image that can be read. Replace or delete it and run again" in capsys.readouterr().err
    (source / "7.png").unlink()
    assert run_command(command) == 0
    assert "the images have changed since the call that was interrupted" in capsys.readouterr().out
    assert len(load_dataset(DataConfig("records", str(out))).train) == 10


def test_a_finished_folder_of_other_images_names_what_changed(tmp_path, capsys, put, many):
    source, out = tmp_path / "in", tmp_path / "out"
    put(source, *many(".", 12))
    command = ["prepare", "images", str(source), str(out), "--size", "4"]
    assert run_command(command) == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    (source / "7.png").unlink()
    put(source, "new.png")
    capsys.readouterr()
    assert run_command(command) == 1
    assert "from other images than are there now (1 gone, first 7.png, 1 new, first new.png)" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_a_full_disk_is_one_message(celeba, tmp_path, capsys, monkeypatch):
    """The writer of records raises RuntimeError as it is closed."""

    class Full(array_record_module.ArrayRecordWriter):
        def close(self):
            super().close()
            raise RuntimeError("RESOURCE_EXHAUSTED: fsync: No space left on device\nmore")

    with monkeypatch.context() as patched:
        patched.setattr(array_record_module, "ArrayRecordWriter", Full)
        command = ["prepare", "celeba", str(celeba), str(tmp_path / "out"), "--size", "8"]
        assert run_command(command) == 1
    printed = capsys.readouterr().err
    assert "No space left on device): is the disk full? Complete files are kept" in printed
    assert printed.count("\n") == 1
    assert not list((tmp_path / "out").glob("*.partial"))
    assert run_command(command) == 0


def as_first_version(out):
    """The manifest as it was before it held names, classes, digests and the selection."""
    manifest = json.loads((out / "manifest.json").read_text())
    new = ("label_names", "attributes", "attribute_names", "names", "files", "selection", "manifest_sha256")
    (out / "manifest.json").write_text(json.dumps({name: n for name, n in manifest.items() if name not in new}))
    for path in out.glob("*-names.json"):
        path.unlink()


def test_folders_prepared_before_still_open_and_verify(celeba, tmp_path):
    out = tmp_path / "out"
    collection = list_celeba(celeba, size=8, crop=148)
    prepare(collection, out)
    fingerprint = load_dataset(DataConfig("records", str(out))).fingerprint
    as_first_version(out)
    dataset = load_dataset(DataConfig("records", str(out)))
    assert (len(dataset.train), dataset.fingerprint, dataset.sample_names) == (20, fingerprint, {})
    assert prepare(collection, out).written == 0
    assert load_dataset(DataConfig("records", str(out))).sample_names


def test_a_damaged_manifest_is_written_again(celeba, tmp_path):
    out = tmp_path / "out"
    collection = list_celeba(celeba, size=8, crop=148)
    whole = prepare(collection, out).manifest
    content = bytearray((out / "manifest.json").read_bytes())
    content[content.index(b'"mean": ') + 9] ^= 1  # another digit
    (out / "manifest.json").write_bytes(content)
    with pytest.raises(InputError, match=r"manifest\.json is damaged"):
        load_dataset(DataConfig("records", str(out)))
    again = prepare(collection, out)
    assert again.manifest == whole
    assert "was damaged" in again.notes[0]


@pytest.mark.parametrize("left", ["UNFINISHED.json.123.partial", "UNFINISHED.json"])
def test_a_call_that_was_killed_in_its_first_moment_is_begun_again(celeba, tmp_path, left):
    out = tmp_path / "out"
    out.mkdir()
    (out / left).write_text("{")
    (out / "train-names.json.99.partial").write_text("[")
    prepare(list_celeba(celeba, size=8, crop=148), out)
    assert not list(out.glob("UNFINISHED*")) + list(out.glob("*.partial"))
    assert len(load_dataset(DataConfig("records", str(out))).train) == 20
