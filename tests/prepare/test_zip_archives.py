"""Zip archives of images as other systems write them, and members that cannot be read."""

import io
import os
import struct
import zipfile

import numpy as np
import pytest
from PIL import Image

from fastrrae import DataConfig, load_dataset
from fastrrae.cli import run_command
from fastrrae.data.manifest import read_manifest
from fastrrae.prepare import prepare


def write_zip(path, names, **options):
    with zipfile.ZipFile(path, "w", **options) as archive:
        for index, name in enumerate(names):
            content = io.BytesIO()
            Image.fromarray(np.full((16, 16, 3), index, np.uint8)).save(content, "PNG")
            archive.writestr(name, content.getvalue())
    return path


def test_a_zip_made_on_a_mac(tmp_path, many, listed, counts):
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


def test_a_zip_with_backslashes(tmp_path, many, listed, counts):
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
def test_members_that_cannot_be_read(tmp_path, capsys, damage, message, many):
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


def test_names_that_are_not_utf8(tmp_path, capsys, put, many):
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
