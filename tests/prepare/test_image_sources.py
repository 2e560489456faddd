"""What becomes of images and folders as people have them: upright, in range, in the right split, with their classes."""

import io
import json
import os
import struct
import zipfile
from typing import Any

import array_record.python.array_record_module as array_record_module
import numpy as np
import pytest
from PIL import Image

from fastrrae import DataConfig, InputError, load_dataset
from fastrrae.cli import run_command
from fastrrae.data.manifest import read_manifest
from fastrrae.prepare import UnreadableImage, list_celeba, list_images, prepare
from fastrrae.prepare.decode_image import decode_square

RNG = np.random.default_rng(0)
UPRIGHT = RNG.integers(0, 256, (6, 6, 3), np.uint8)


def encoded(image, kind="PNG", **options):
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def decoded(content, size=6, **options):
    return decode_square(content, "it", crop=None, size=size, **options)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_stand_upright(orientation):
    """What a camera stores, so that the view of it by EXIF orientation is UPRIGHT."""
    stored = {
        1: UPRIGHT,
        2: UPRIGHT[:, ::-1],
        3: UPRIGHT[::-1, ::-1],
        4: UPRIGHT[::-1],
        5: UPRIGHT.swapaxes(0, 1),
        6: np.rot90(UPRIGHT, 1),
        7: UPRIGHT[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(UPRIGHT, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    np.testing.assert_array_equal(decoded(encoded(np.ascontiguousarray(stored), exif=exif)), UPRIGHT)


RAMP = np.arange(36, dtype=np.uint16).reshape(6, 6) * 1872  # 0 to 65520
IN_BYTES = np.rint(RAMP / 257)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_grey_of_16_bits_keeps_its_range(kind):
    np.testing.assert_array_equal(decoded(encoded(RAMP, kind))[..., 0], IN_BYTES)


def test_floats_from_0_to_1_become_bytes():
    floats = (RAMP / 65535).astype(np.float32)
    np.testing.assert_allclose(decoded(encoded(floats, "TIFF"))[..., 1], RAMP / 257, atol=0.51)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (RAMP.astype(np.float32), "its floats are from 0 to 65520"),
        (np.full((6, 6), np.nan, np.float32), "its floats are from nan"),
        (RAMP.astype(np.int32) * 1000, "its integers are from 0 to 65520000, and must be of 16 bits"),
    ],
)
def test_numbers_of_unknown_range_are_refused(values, message):
    with pytest.raises(UnreadableImage, match=message):
        decoded(encoded(values, "TIFF"))


@pytest.mark.parametrize(("background", "value"), [("white", 255), ("black", 0)])
def test_hidden_colours_do_not_come_through(background, value):
    image = np.dstack([UPRIGHT, np.full((6, 6), 255, np.uint8)])
    image[:3, :, 3] = 0
    image[3, :, 3] = 128
    out = decoded(encoded(image), background=background)
    np.testing.assert_array_equal(out[:3], value)
    np.testing.assert_array_equal(out[4:], UPRIGHT[4:])
    np.testing.assert_allclose(out[3], (UPRIGHT[3] * 128.0 + value * 127) / 255, atol=1)


def test_transparent_palettes_and_grey():
    palette = Image.fromarray(np.arange(36, dtype=np.uint8).reshape(6, 6) % 2, "P")
    palette.putpalette([10, 20, 30, 200, 100, 50])
    np.testing.assert_array_equal(decoded(encoded(palette))[0, :2], [[10, 20, 30], [200, 100, 50]])
    np.testing.assert_array_equal(decoded(encoded(palette, transparency=0))[0, :2], [[255] * 3, [200, 100, 50]])
    grey = np.dstack([UPRIGHT[..., 0], np.zeros((6, 6), np.uint8)])
    np.testing.assert_array_equal(decoded(encoded(Image.fromarray(grey, "LA"))), 255)


def test_cmyk_by_the_plain_formula():
    cmyk = np.dstack([UPRIGHT, np.full((6, 6), 51, np.uint8)])
    expected = (255 - UPRIGHT.astype(float)) * (255 - 51) / 255
    out = decoded(encoded(Image.fromarray(cmyk, "CMYK"), "TIFF"))
    np.testing.assert_allclose(out, expected, atol=2)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_every_damaged_byte_of_a_tiff_is_an_image_or_a_message():
    content = encoded(UPRIGHT, "TIFF", compression="tiff_lzw")
    messages = []
    for at in range(len(content)):
        changed = bytearray(content)
        changed[at] ^= 0xFF
        try:
            assert decoded(bytes(changed)).shape == (6, 6, 3)
        except UnreadableImage as error:
            messages.append(str(error))
    assert messages
    assert all(message.startswith("it: ") and "\n" not in message for message in messages)


def put(root, *names, content=None):
    for index, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(np.full((4, 4, 3), index, np.uint8)) if content is None else content)


def many(folder, count):
    return [f"{folder}/{index}.png" for index in range(count)]


def listed(source, **options):
    arguments: dict[str, Any] = {"size": 4, "crop": None, "test_fraction": 0.25} | options
    return list_images(source, **arguments)


def counts(collection):
    return {split: len(names) for split, names in collection.splits.items()}


@pytest.mark.parametrize(
    ("folders", "found"),
    [
        ({"train": 6, "test": 3}, {"train": 6, "test": 3}),
        ({"Train": 6, "TEST": 3}, {"train": 6, "test": 3}),
        ({"train": 6, "test": 3, "val": 2}, {"train": 6, "validation": 2, "test": 3}),
        ({"training": 6, "Validation": 2}, {"train": 6, "validation": 2}),
        ({"top/train": 6, "top/test": 3}, {"train": 6, "test": 3}),
        ({"a/b/c/train": 6, "a/b/c/test": 3}, {"train": 6, "test": 3}),
        ({"train": 6, "test": 3, ".": 1, "extra": 2}, {"train": 6, "test": 3}),
        ({"top/train": 6, "top/test": 3, ".": 1}, {"train": 6, "test": 3}),
        ({"cats/train": 6, "cats/test": 3, "dogs/train": 4, "dogs/test": 1}, {"train": 10, "test": 4}),
        ({"train/a": 6, "test/a": 3, "train/b": 4}, {"train": 10, "test": 3}),
        ({"cats": 6, "dogs": 6}, {"train": 9, "test": 3}),
        ({"train": 8}, {"train": 6, "test": 2}),
        ({"car": 4, "train": 4}, {"train": 6, "test": 2}),
    ],
)
def test_splits_by_folders(tmp_path, folders, found):
    for folder, count in folders.items():
        put(tmp_path, *many(folder, count))
    collection = listed(tmp_path)
    assert counts(collection) == found
    if any("test" in folder.lower() for folder in folders):
        assert all("test" in name.lower() for name in collection.splits["test"])
        assert not any("test" in name.lower() for name in collection.splits["train"])
    beside = sum(folders.values()) - sum(found.values())
    unused = collection.selection.unused
    assert len(unused.get("beside the folders of the splits", ())) == beside


@pytest.mark.parametrize(
    "folders", [["test", "cats"], ["a/b/test", "a/c", "d"], ["val", "cats"], ["a/b/train", "a/b/test", "d"]]
)
def test_a_test_folder_that_would_be_trained_on_is_refused(tmp_path, folders):
    for folder in folders:
        put(tmp_path, *many(folder, 4))
    with pytest.raises(InputError, match="is named like a test or validation split"):
        listed(tmp_path)
    assert sum(counts(listed(tmp_path, split="random")).values()) == 4 * len(folders)


def test_a_random_split_for_validation_too(tmp_path):
    put(tmp_path, *many(".", 20))
    with_validation = listed(tmp_path, validation_fraction=0.25)
    assert counts(with_validation) == {"train": 10, "validation": 5, "test": 5}
    assert with_validation.splits["test"] == listed(tmp_path).splits["test"]


def test_class_folders_become_labels(tmp_path, capsys):
    source = tmp_path / "in"
    put(source, *many("train/cat", 5), *many("train/dog/puppies", 3), *many("test/dog", 2), *many("test/cat", 2))
    assert run_command(["prepare", "images", str(source), str(tmp_path / "out"), "--size", "4"]) == 0
    assert "labels from 2 class folders: cat, dog" in capsys.readouterr().out
    dataset = load_dataset(DataConfig("records", str(tmp_path / "out")))
    assert dataset.label_names == ("cat", "dog")
    assert dataset.labels["train"].tolist() == [0] * 5 + [1] * 3
    assert dataset.labels["test"].tolist() == [0, 0, 1, 1]
    assert dataset.sample_names["test"][0] == "test/cat/0.png"


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (many(".", 8), "no labels, since there are no class folders"),
        ([*many("cat", 8), "stray.png"], "images to train on lie in no class folder"),
        ([f"day {n}/{m}.png" for n in range(6) for m in "a"], "are not classes"),
    ],
)
def test_folders_that_are_no_classes(tmp_path, names, sentence):
    put(tmp_path, *names)
    collection = listed(tmp_path)
    assert not collection.labels
    assert sentence in collection.selection.used[-1]


def test_what_is_not_used_is_printed_and_kept(tmp_path, capsys):
    source = tmp_path / "in"
    put(source, *many("train", 6), *many("test", 3), "preview.png", "._0.png", ".cache/0.png")
    (source / "notes.txt").write_text("hello")
    assert run_command(["prepare", "images", str(source), str(tmp_path / "out"), "--size", "4"]) == 0
    printed = capsys.readouterr().out
    selection = read_manifest(tmp_path / "out")["selection"]
    assert {reason: entry["names"] for reason, entry in selection["unused"].items()} == {
        "hidden": [".cache"],
        "left by macOS": ["._0.png"],
        "not images by their ending": ["notes.txt"],
        "beside the folders of the splits": ["preview.png"],
    }
    for reason in selection["unused"]:
        assert f"not used, {reason}: 1 (" in printed
    assert "split by folders: train (6 to train on), test (3 to test on)" in printed


def test_linked_folders_are_followed_once(tmp_path):
    source = tmp_path / "in"
    put(source, *many("cats", 5))
    put(tmp_path / "elsewhere", *many("dogs", 5))
    (source / "dogs").symlink_to(tmp_path / "elsewhere" / "dogs")
    (source / "dogs again").symlink_to(tmp_path / "elsewhere" / "dogs")
    (source / "loop").symlink_to(source)
    (source / "cats" / "up").symlink_to(source / "cats")
    (source / "lost.png").symlink_to(tmp_path / "nowhere.png")
    (source / "itself").symlink_to(source / "itself")
    (source / "twin.png").symlink_to(source / "cats" / "0.png")
    collection = listed(source)
    assert sum(counts(collection).values()) == 10
    assert {reason: sorted(names) for reason, names in collection.selection.unused.items()} == {
        "links to folders that are read by another path": ["cats/up/", "dogs again/", "loop/"],
        "links to nothing": ["itself", "lost.png"],
        "links to files that are read by another path": ["twin.png"],
    }


def write_zip(path, names, **options):
    with zipfile.ZipFile(path, "w", **options) as archive:
        for index, name in enumerate(names):
            archive.writestr(name, encoded(np.full((16, 16, 3), index, np.uint8)))
    return path


def test_a_zip_made_on_a_mac(tmp_path):
    names = [*many("train", 5), *many("test", 3)]
    archive = write_zip(tmp_path / "a.zip", names)
    with zipfile.ZipFile(archive, "a") as added:
        for name in names:
            added.writestr("__MACOSX/" + name.replace("/", "/._"), b"\0\5\x16\7\0\2\0\0Mac OS X")
        added.writestr("train/.DS_Store", b"")
    collection = listed(archive)
    assert counts(collection) == {"train": 5, "test": 3}
    assert len(collection.selection.unused["left by macOS"]) == 9
    prepare(collection, tmp_path / "out")


def test_a_zip_with_backslashes(tmp_path):
    archive = write_zip(tmp_path / "a.zip", [name.replace("/", "\\") for name in (*many("train", 5), *many("test", 3))])
    assert counts(listed(archive)) == {"train": 5, "test": 3}


def change_member(archive, name, central, local):
    """Write 2 bytes at the given offsets of a member's two headers."""
    content = bytearray(archive.read_bytes())
    with zipfile.ZipFile(archive) as opened:
        start = opened.getinfo(name).header_offset
    at = content.rindex(b"PK\1\2", 0, content.rindex(name.encode()))
    for place, (offset, value) in ((at, central), (start, local)):
        content[place + offset : place + offset + 2] = struct.pack("<H", value)
    archive.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda a: change_member(a, "3.png", (8, 1), (6, 1)), "is encrypted: unpack the archive with its password"),
        (lambda a: change_member(a, "3.png", (10, 9), (8, 9)), "compressed in a way that is not read"),
        (lambda a: change_member(a, "3.png", (30, 0), (42, 0xFFFF)), "3.png in"),
    ],
    ids=["encrypted", "Deflate64", "damaged inside"],
)
def test_members_that_cannot_be_read(tmp_path, capsys, damage, message):
    archive = write_zip(tmp_path / "a.zip", many(".", 8), compression=zipfile.ZIP_DEFLATED)
    archive = write_zip(tmp_path / "a.zip", [f"{n}.png" for n in range(8)], compression=zipfile.ZIP_DEFLATED)
    damage(archive)
    command = ["prepare", "images", str(archive), str(tmp_path / "out"), "--size", "4", "--test-fraction", "0.25"]
    assert run_command(command) == 1
    printed = capsys.readouterr().err
    assert message in printed
    assert "--corrupt skip" in printed
    assert printed.count("\n") == 1
    assert run_command([*command, "--corrupt", "skip"]) == 0
    assert "left out: 3.png" in capsys.readouterr().out
    assert sum(split["count"] for split in read_manifest(tmp_path / "out")["splits"].values()) == 7


def test_names_that_are_not_utf8(tmp_path, capsys):
    source = tmp_path / "in"
    put(source, *many("a", 4), *many("b", 4))
    os.rename(os.fsencode(source / "a"), os.fsencode(source) + b"/caf\xe9")
    (source / "b" / "0.png").write_bytes(b"no image")
    os.rename(source / "b" / "0.png", os.fsencode(source / "b") + b"/\xff.png")
    command = ["prepare", "images", str(source), str(tmp_path / "out"), "--size", "4"]
    assert run_command(command) == 1
    assert "\\udcff.png" in capsys.readouterr().err
    assert run_command([*command, "--corrupt", "skip", "--test-fraction", "0.3"]) == 0
    printed = capsys.readouterr().out
    printed.encode("ascii")
    assert "left out: b/\\udcff.png" in printed
    dataset = load_dataset(DataConfig("records", str(tmp_path / "out")))
    assert dataset.label_names == ("b", "caf\udce9")
    assert any(name.startswith("caf\udce9") for name in dataset.sample_names["train"])


def test_after_a_bad_image_is_deleted_the_same_command_goes_on(tmp_path, capsys):
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


def test_a_finished_folder_of_other_images_names_what_changed(tmp_path, capsys):
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


def attributes_of(folder, kind):
    """Attributes as published, or as a comma-separated table, of images 1 to 30."""
    rows = [[f"{n + 1:06d}.jpg", "1" if n % 2 else "-1", "1" if n % 3 == 0 else "-1"] for n in range(30)]
    if kind == "published":
        lines = ["30", "Smiling Wearing_Hat ", *("  ".join(row) for row in rows)]
        (folder / "list_attr_celeba.txt").write_text("\n".join(lines) + "\n")
    else:
        lines = ["image_id,Smiling,Wearing_Hat", *(",".join(row) for row in rows)]
        (folder / "list_attr_celeba.csv").write_bytes(("\r\n".join(lines) + "\r\n").encode(kind))


@pytest.mark.parametrize("kind", ["published", "utf-8-sig", "utf-16"])
def test_attributes_of_celeba(celeba, tmp_path, kind):
    attributes_of(celeba, kind)
    (celeba / "img_align_celeba" / "000002.jpg").write_bytes(b"no image")
    prepare(list_celeba(celeba, size=8, crop=148), tmp_path / "out", skip_corrupt=True)
    dataset = load_dataset(DataConfig("records", str(tmp_path / "out")))
    assert list(dataset.attributes["train"]) == ["Smiling", "Wearing_Hat"]
    kept = [n for n in range(20) if n != 1]
    np.testing.assert_array_equal(dataset.attributes["train"]["Smiling"], [n % 2 == 1 for n in kept])
    np.testing.assert_array_equal(dataset.attributes["test"]["Wearing_Hat"], [n % 3 == 0 for n in range(24, 30)])
    assert dataset.sample_names["train"][:2] == ["000001.jpg", "000003.jpg"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_the_partition_as_a_comma_separated_table(celeba, encoding):
    published = list_celeba(celeba, size=8, crop=148).splits
    lines = (celeba / "list_eval_partition.txt").read_text().split("\n")
    (celeba / "list_eval_partition.txt").unlink()
    text = "\r\n".join(["image_id,partition", *(line.replace(" ", ",") for line in lines)])
    (celeba / "list_eval_partition.csv").write_bytes(text.encode(encoding))
    assert list_celeba(celeba, size=8, crop=148).splits == published


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("30\n", "must name its attributes in line 2"),
        ("30\nSmiling Hat\n000001.jpg 1\n", "line 3: must be a file name and 1 or -1"),
        ("30\nSmiling Hat\n000001.jpg 1 7\n", "line 3: must be a file name and 1 or -1"),
        ("30\nSmiling Hat\n000001.jpg 1 -1\n", "has no attributes of 29 images, first 000002.jpg"),
    ],
)
def test_attributes_that_are_damaged(celeba, text, message):
    (celeba / "list_attr_celeba.txt").write_text(text)
    with pytest.raises(InputError, match=message):
        list_celeba(celeba, size=8, crop=148)


def test_images_beside_those_of_the_partition_are_named(celeba):
    put(celeba / "img_align_celeba", "extra.jpg", "thumbs/000001.jpg")
    assert dict(list_celeba(celeba, size=8, crop=148).selection.unused) == {
        "not in the partition file": ["extra.jpg"],
        "images whose name is there twice": ["thumbs/000001.jpg"],
    }


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
