"""From published files to shards: complete, resumable, verified, and clear about what is wrong."""

import json
import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fastrrae import InputError, load_dataset
from fastrrae.cli import run_command
from fastrrae.config import DataConfig
from fastrrae.data.manifest import read_manifest
from fastrrae.folder_lock import exclusive
from fastrrae.prepare import list_celeba, list_images, prepare

SIZE = ["--size", "16", "--crop", "148"]


def records(folder):
    return load_dataset(DataConfig("records", str(folder)))


def expected(path: Path):
    """What an image becomes, by Pillow alone."""
    with Image.open(path) as image:
        square = image.convert("RGB").crop((15, 35, 163, 183))
    return np.asarray(square.resize((16, 16), Image.Resampling.BILINEAR))


def test_celeba_becomes_its_official_splits(celeba, tmp_path, small_shards):
    out = tmp_path / "out"
    assert run_command(["prepare", "celeba", str(celeba), str(out), *SIZE]) == 0
    dataset = records(out)
    assert dataset.train.shape == (20, 16, 16, 3)
    assert {name: len(samples) for name, samples in dataset.tests.items()} == {"test": 6, "validation": 4}
    paths = sorted((celeba / "img_align_celeba").iterdir())
    np.testing.assert_array_equal(dataset.train[:], [expected(path) for path in paths[:20]])
    np.testing.assert_array_equal(dataset.test[np.array([5, 0])], [expected(paths[29]), expected(paths[24])])
    manifest = read_manifest(out)
    assert len(manifest["splits"]["train"]["shards"]) == 3
    assert manifest["transformation"] == {"crop": 148, "size": 16, "resampling": "bilinear"}
    assert not list(out.glob("*.json.partial")) + list(out.glob("*.arrayrecord.json"))


def test_statistics_are_those_of_the_training_set(celeba, tmp_path, small_shards):
    prepare(list_celeba(celeba, size=16, crop=148), tmp_path / "out")
    dataset = load_dataset(DataConfig("records", str(tmp_path / "out"), normalise="standard"))
    values = dataset.train[:].astype(np.float64)
    assert dataset.normalisation.offset == pytest.approx(values.mean(), rel=1e-12)
    assert dataset.normalisation.scale == pytest.approx(values.std(), rel=1e-9)


def test_a_zip_archive_gives_the_same(celeba, tmp_path, small_shards):
    prepare(list_celeba(celeba, size=16, crop=148), tmp_path / "a")
    shutil.make_archive(str(celeba / "img_align_celeba"), "zip", celeba, "img_align_celeba")
    shutil.rmtree(celeba / "img_align_celeba")
    prepare(list_celeba(celeba / "img_align_celeba.zip", size=16, crop=148), tmp_path / "b")
    assert read_manifest(tmp_path / "a") == read_manifest(tmp_path / "b")


def test_twice_does_nothing_and_damage_is_mended(celeba, tmp_path, small_shards):
    collection, out = list_celeba(celeba, size=16, crop=148), tmp_path / "out"
    first = prepare(collection, out)
    times = {path.name: path.stat().st_mtime_ns for path in out.glob("*.arrayrecord")}
    assert (prepare(collection, out).written, first.kept) == (0, 0)
    assert {path.name: path.stat().st_mtime_ns for path in out.glob("*.arrayrecord")} == times
    damaged, missing = sorted(out.glob("*.arrayrecord"))[:2]
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    missing.unlink()
    mended = prepare(collection, out)
    assert (mended.written, mended.manifest) == (2, first.manifest)
    assert records(out).fingerprint


@pytest.mark.parametrize("after", [1, 3])
def test_an_interrupted_call_is_continued(celeba, tmp_path, small_shards, monkeypatch, after):
    collection, out = list_celeba(celeba, size=16, crop=148), tmp_path / "out"
    whole = prepare(collection, tmp_path / "whole").manifest
    import fastrrae.prepare.prepare_records as module

    original, calls = module.write_shard, []

    def write(*args, **kwargs):
        calls.append(args)
        if len(calls) > after:
            raise KeyboardInterrupt
        return original(*args, **kwargs)

    monkeypatch.setattr(module, "write_shard", write)
    with pytest.raises(KeyboardInterrupt):
        prepare(collection, out)
    with pytest.raises(InputError, match=r"has no manifest\.json: it must be a folder that `fastrrae prepare` has"):
        records(out)
    monkeypatch.undo()
    monkeypatch.setattr("fastrrae.prepare.shards.SHARD_BYTES", 8 * 16 * 16 * 3)
    done = prepare(collection, out)
    assert (done.kept, done.manifest) == (after, whole)


def corrupt(celeba):
    folder = celeba / "img_align_celeba"
    (folder / "000003.jpg").write_bytes((folder / "000003.jpg").read_bytes()[:700])
    (folder / "000027.jpg").write_text("not an image")
    Image.new("RGB", (100, 100)).save(folder / "000010.jpg")
    return folder


def test_a_corrupt_image_is_named(celeba, tmp_path, capsys):
    folder = corrupt(celeba)
    out = tmp_path / "out"
    command = ["prepare", "celeba", str(celeba), str(out), *SIZE]
    assert run_command(command) == 1
    assert "000003.jpg: image file is truncated" in capsys.readouterr().err
    assert not list(out.glob("*.arrayrecord*"))
    assert run_command([*command, "--corrupt", "skip"]) == 0
    printed = capsys.readouterr().out
    assert [line for line in printed.splitlines() if line.startswith("left out")] == [
        "left out: 000003.jpg",
        "left out: 000010.jpg",
        "left out: 000027.jpg",
    ]
    dataset = records(out)
    assert (len(dataset.train), len(dataset.test)) == (18, 5)
    np.testing.assert_array_equal(dataset.train[2:3], [expected(folder / "000004.jpg")])
    assert read_manifest(out)["splits"]["train"]["skipped"] == ["000003.jpg", "000010.jpg"]


def test_any_folder_of_images(celeba, tmp_path):
    source = tmp_path / "photos"
    for index, path in enumerate(sorted((celeba / "img_align_celeba").iterdir())):
        folder = source / ("cats" if index % 2 else "dogs")
        folder.mkdir(parents=True, exist_ok=True)
        path.rename(folder / path.name)
    Image.new("L", (40, 30), 128).save(source / "grey.png")
    out = tmp_path / "out"
    assert run_command(["prepare", "images", str(source), str(out), "--size", "8", "--test-fraction", "0.2"]) == 0
    dataset = records(out)
    assert (dataset.train.shape, len(dataset.test)) == ((25, 8, 8, 3), 6)
    everything = np.concatenate([dataset.train[:], dataset.test[:]])
    assert np.sum(np.all(everything == 128, axis=(1, 2, 3))) == 1
    split = list_images(source, size=8, crop=None, test_fraction=0.2).splits
    assert not set(split["train"]) & set(split["test"])


def test_folders_named_train_and_test_are_the_splits(celeba, tmp_path):
    source = tmp_path / "photos"
    for index, path in enumerate(sorted((celeba / "img_align_celeba").iterdir())):
        folder = source / ("test" if index < 5 else "train")
        folder.mkdir(parents=True, exist_ok=True)
        path.rename(folder / path.name)
    assert len(list_images(source, size=8, crop=None, test_fraction=0.5).splits["test"]) == 5


def truncate_zip(celeba):
    shutil.make_archive(str(celeba / "img_align_celeba"), "zip", celeba, "img_align_celeba")
    shutil.rmtree(celeba / "img_align_celeba")
    archive = celeba / "img_align_celeba.zip"
    archive.write_bytes(archive.read_bytes()[:5000])


def corrupt_zip_member(celeba):
    with zipfile.ZipFile(celeba / "img_align_celeba.zip", "w") as archive:
        for path in sorted((celeba / "img_align_celeba").iterdir()):
            archive.write(path, f"img_align_celeba/{path.name}")
        offset = archive.getinfo("img_align_celeba/000001.jpg").header_offset + 200
    shutil.rmtree(celeba / "img_align_celeba")
    with (celeba / "img_align_celeba.zip").open("r+b") as file:
        file.seek(offset)
        file.write(b"damage")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (truncate_zip, "is not a whole zip archive"),
        (corrupt_zip_member, "img_align_celeba/000001.jpg in"),
        (lambda root: (root / "list_eval_partition.txt").unlink(), "does not hold the official split"),
        (lambda root: (root / "list_eval_partition.txt").write_text("000001.jpg 7\n"), "line 1: must be a file name"),
        (lambda root: (root / "list_eval_partition.txt").write_text("000001.jpg 0\n"), "names no images to test on"),
        (lambda root: (root / "img_align_celeba" / "000004.jpg").unlink(), "first 000004.jpg: the set in"),
        (lambda root: shutil.rmtree(root / "img_align_celeba"), "does not hold the images"),
    ],
    ids=["zip cut short", "damaged member", "no partition", "bad line", "no test", "image missing", "no images"],
)
def test_a_damaged_source_is_one_message(celeba, tmp_path, capsys, damage, message):
    damage(celeba)
    out = tmp_path / "out"
    assert run_command(["prepare", "celeba", str(celeba), str(out), *SIZE]) == 1
    printed = capsys.readouterr().err
    assert message in printed
    assert printed.startswith("fastrrae: error: ")
    assert printed.count("\n") == 1
    assert not list(tmp_path.rglob("*.arrayrecord*"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["celeba", "absent", "out"], "absent must be a folder or a .zip archive of images"),
        (["celeba", "celeba", "out", "--crop", "300"], "--crop must be from 1 to 178"),
        (["celeba", "celeba", "out", "--size", "0"], "--size must be at least 1"),
        (["celeba", "celeba", "out", "--workers", "0"], "--workers must be at least 1"),
        (["celeba", "celeba", "celeba"], "is not empty and holds no prepared data"),
        (["celeba", "celeba", "celeba/list_eval_partition.txt/out"], "cannot write to"),
        (["images", "celeba", "out", "--test-fraction", "1"], "leaves nothing to train on"),
        (["images", "celeba", "out", "--crop", "1000"], "too small for a crop of 1000x1000"),
        (["cifar10", "celeba", "out"], "does not hold CIFAR-10's binary release"),
        (["mnist", "celeba", "out"], "has neither train-images-idx3-ubyte"),
    ],
)
def test_a_wrong_argument_is_one_message(celeba, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(celeba.parent)
    before = sorted(celeba.rglob("*"))
    assert run_command(["prepare", *arguments]) == 1
    printed = capsys.readouterr().err
    assert message in printed
    assert printed.count("\n") == 1
    assert sorted(celeba.rglob("*")) == before


def test_pickles_are_not_read(tmp_path, capsys):
    (tmp_path / "cifar-10-batches-py").mkdir()
    (tmp_path / "cifar-10-batches-py" / "data_batch_1").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    assert run_command(["prepare", "cifar10", str(tmp_path), str(tmp_path / "out")]) == 1
    assert "the release for Python, whose pickles are not read" in capsys.readouterr().err


def test_a_folder_prepared_otherwise_is_left_alone(celeba, tmp_path, capsys):
    out = tmp_path / "out"
    prepare(list_celeba(celeba, size=16, crop=148), out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert run_command(["prepare", "celeba", str(celeba), str(out), "--size", "8"]) == 1
    assert "holds data prepared with other settings (sample_shape: [16, 16, 3] there" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_two_calls_do_not_write_to_one_folder(celeba, tmp_path, capsys):
    out = tmp_path / "out"
    with exclusive(out):
        assert run_command(["prepare", "celeba", str(celeba), str(out), *SIZE]) == 1
    assert f"{out} is in use by process {os.getpid()} on " in capsys.readouterr().err
    assert not list(out.iterdir())
    assert run_command(["prepare", "celeba", str(celeba), str(out), *SIZE]) == 0
    assert not [path for path in out.iterdir() if path.name.startswith(".")]


def manifest_with(out, change):
    manifest = json.loads((out / "manifest.json").read_text())
    del manifest["manifest_sha256"]  # as an earlier version wrote it
    change(manifest)
    (out / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda out: (out / "test-00000-of-00001.arrayrecord").unlink(), "is missing: run `fastrrae prepare` again"),
        (
            lambda out: (out / "test-00000-of-00001.arrayrecord").write_bytes(b"short"),
            "has 5 bytes instead of",
        ),
        (lambda out: (out / "manifest.json").write_text("{"), "is not a manifest of `fastrrae prepare`"),
        (lambda out: manifest_with(out, lambda m: m.update(format="other")), "has the format 'other'"),
        (lambda out: manifest_with(out, lambda m: m["splits"]["test"].update(count=99)), "is inconsistent"),
        (lambda out: manifest_with(out, lambda m: m["splits"].pop("train")), "must name a split `train`"),
        (lambda out: manifest_with(out, lambda m: m.pop("splits")), "is not a manifest"),
    ],
)
def test_a_damaged_prepared_folder_is_one_message(celeba, tmp_path, capsys, damage, message):
    out = tmp_path / "out"
    prepare(list_celeba(celeba, size=16, crop=148), out)
    damage(out)
    assert run_command(["train", "images", "--data", str(out), "--out", str(tmp_path / "run")]) == 1
    printed = capsys.readouterr().err
    assert message in printed
    assert printed.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_manifest_of_another_shape_is_noticed_when_reading(celeba, tmp_path):
    out = tmp_path / "out"
    prepare(list_celeba(celeba, size=16, crop=148), out)
    manifest_with(out, lambda m: m.update(sample_shape=[16, 8, 3]))
    with pytest.raises(InputError, match="does not have the 384 bytes that its manifest announces"):
        records(out).train[:2]


def test_damage_inside_a_shard_is_noticed_when_reading(celeba, tmp_path):
    out = tmp_path / "out"
    prepare(list_celeba(celeba, size=16, crop=148), out)
    shard = out / "train-00000-of-00001.arrayrecord"
    content = bytearray(shard.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 64] = bytes(64)
    shard.write_bytes(content)
    with pytest.raises(InputError, match=r"cannot be read .*run `fastrrae prepare` again"):
        records(out).train[:]
