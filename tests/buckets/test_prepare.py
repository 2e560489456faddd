"""Data that is prepared into a bucket: the same files as on a disk, whatever happens on the way."""

import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from fastrrae import InputError
from fastrrae.buckets.address import Objects
from fastrrae.buckets.lease import LOCK
from fastrrae.cli import run_command
from fastrrae.config import DataConfig
from fastrrae.data import load_dataset
from fastrrae.data.manifest import MANIFEST
from fastrrae.prepare import list_images, prepare
from fastrrae.prepare.destination import BucketDestination


@pytest.fixture
def images(tmp_path, monkeypatch):
    """A folder of 60 images, of which shards hold 8."""
    source, rng = tmp_path / "images", np.random.default_rng(0)
    monkeypatch.setattr("fastrrae.prepare.shards.SHARD_BYTES", 8 * 8 * 8 * 3)
    for index in range(60):
        place = source / f"class{index % 2}"
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (8, 8, 3), np.uint8)).save(place / f"{index:03d}.png")
    return source


@pytest.fixture
def collection(images):
    return list_images(images, size=8, crop=None, test_fraction=0.1)


@pytest.fixture
def on_disk(collection, tmp_path):
    prepare(collection, tmp_path / "records")
    return {path.name: path.read_bytes() for path in (tmp_path / "records").iterdir()}


def in_bucket(address):
    objects = Objects(address)
    return {name: objects.read(name) for name in objects.names()}


def test_a_bucket_gets_what_a_disk_gets(s3, images, on_disk, tmp_path, capsys, monkeypatch):
    lying = []
    original = BucketDestination.take

    def take(self, facts):
        lying.append(len([path for path in self.folder.glob("*.arrayrecord") if path.stat().st_size]))
        original(self, facts)

    monkeypatch.setattr(BucketDestination, "take", take)
    command = ["prepare", "images", str(images), s3 + "/records", "--size", "8"]
    assert run_command(command) == 0
    assert f"{s3}/records: 54 train, 6 test; 8 shards written" in capsys.readouterr().out
    assert in_bucket(s3 + "/records") == on_disk
    assert max(lying) <= 2  # one that is sent, and one that is written
    assert run_command(command) == 0
    assert "0 shards written, 8 already there and whole" in capsys.readouterr().out
    assert in_bucket(s3 + "/records") == on_disk
    data = [load_dataset(DataConfig("records", place)) for place in (s3 + "/records", str(tmp_path / "records"))]
    np.testing.assert_array_equal(data[0].train[:], data[1].train[:])
    assert data[0].fingerprint == data[1].fingerprint


@pytest.fixture
def interrupt(monkeypatch):
    """Call something while the bucket does not take the shard train-00003."""
    send = Objects.send

    def refuse(self, file, name):
        if "train-00003" in name:
            raise InputError(f"cannot write {name}")
        send(self, file, name)

    def run(action):
        with monkeypatch.context() as patch:
            patch.setattr(Objects, "send", refuse)
            with pytest.raises(InputError, match=r"cannot write train-00003-of-00007.arrayrecord"):
                action()

    return run


def test_an_interrupted_call_is_continued(s3, collection, on_disk, interrupt):
    interrupt(lambda: prepare(collection, s3 + "/records"))
    names = set(Objects(s3 + "/records").names())
    assert {"UNFINISHED.json", "train-00002-of-00007.arrayrecord", "train-00002-of-00007.arrayrecord.json"} <= names
    assert not {MANIFEST, LOCK, "train-00003-of-00007.arrayrecord.json"} & names
    done = prepare(collection, s3 + "/records")
    assert (done.kept, done.written) == (3, 5)
    assert in_bucket(s3 + "/records") == on_disk


def test_a_damaged_shard_is_written_again(s3, collection, on_disk):
    prepare(collection, s3 + "/records")
    name = "train-00001-of-00007.arrayrecord"
    Objects(s3 + "/records").write(name, on_disk[name][:-1] + b"?")
    done = prepare(collection, s3 + "/records")
    assert (done.kept, done.written) == (7, 1)
    assert in_bucket(s3 + "/records") == on_disk


def test_what_is_not_prepared_data_is_left_alone(s3, collection):
    objects = Objects(s3 + "/mine")
    objects.write("thesis.txt", b"irreplaceable")
    with pytest.raises(InputError, match="is not empty and holds no prepared data"):
        prepare(collection, s3 + "/mine")
    assert in_bucket(s3 + "/mine") == {"thesis.txt": b"irreplaceable"}


def test_images_that_changed_since_an_interruption_are_prepared_anew(s3, images, collection, interrupt):
    interrupt(lambda: prepare(collection, s3 + "/records"))
    (images / "class0" / "000.png").unlink()
    changed = list_images(images, size=8, crop=None, test_fraction=0.1)
    done = prepare(changed, s3 + "/records")
    assert "the images have changed" in done.notes[0]
    assert done.kept == 0
    assert set(Objects(s3 + "/records").names()) == {
        MANIFEST,
        *done.manifest["files"],
        *(shard["file"] for split in done.manifest["splits"].values() for shard in split["shards"]),
    }


_KILLED = """
import sys
from fastrrae.prepare import list_images, prepare, shards
shards.SHARD_BYTES = 8 * 8 * 8 * 3
prepare(list_images(sys.argv[1], size=8, crop=None, test_fraction=0.1), sys.argv[2])
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "held", ["train-00002-of-00007.arrayrecord", "train-00004-of-00007.arrayrecord.json", MANIFEST]
)
def test_killed_while_something_is_sent(s3, images, collection, on_disk, faults, held):
    reached = []

    def hold_back(request):
        if "PUT" in request and request.endswith("/" + held):
            reached.append(request)
            time.sleep(600)
        return False

    faults.fail = hold_back
    process = subprocess.Popen([sys.executable, "-c", _KILLED, str(images), s3 + "/records"])
    while not reached and process.poll() is None:
        time.sleep(0.1)
    process.kill()
    process.wait()
    faults.reset()
    names = Objects(s3 + "/records").names()
    assert MANIFEST not in names
    assert held not in names
    prepare(collection, s3 + "/records")
    assert in_bucket(s3 + "/records") == on_disk
