"""Shards of a bucket as local files that several readers of a host share, in less room than they all want."""

import hashlib
import os
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fastrrae import InputError
from fastrrae.buckets.address import Objects
from fastrrae.data.staged_records import StagedRecordSamples
from fastrrae.data.staging import StagedShards

SHARDS, EACH, SIZE = 8, 5, 64


class FolderObjects(Objects):
    """A local folder in the place of a bucket."""

    def __init__(self, folder):
        self.folder = folder

    def fetch(self, name, file):
        shutil.copyfile(self.folder / name, file)


class StagedFromFolder(StagedShards):
    """Shards that come from a local folder."""

    def _open_store(self):
        return FolderObjects(self._address)


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """A folder, name, size and digest of each shard, and all their records."""
    from array_record.python.array_record_module import ArrayRecordWriter

    folder = tmp_path_factory.mktemp("bucket")
    values = np.random.default_rng(0).integers(0, 256, (SHARDS, EACH, SIZE), dtype=np.uint8)
    described = []
    for number, records in enumerate(values):
        path = folder / f"train-{number}.arrayrecord"
        writer = ArrayRecordWriter(str(path), "group_size:1,uncompressed")
        for record in records:
            writer.write(record.tobytes())
        writer.close()
        written = path.read_bytes()
        described.append((path.name, len(written), hashlib.sha256(written).hexdigest()))
    return folder, described, values.reshape(-1, SIZE)


def reader(shards, folder, room):
    """A reader with room for this number of shards, in a folder that others may share."""
    bucket, described, _ = shards
    staged = StagedFromFolder(bucket, folder, described, room * max(size for _, size, _ in described))
    return StagedRecordSamples(staged, [EACH] * SHARDS, (SIZE,), str(bucket))


def test_readers_that_share_too_little_room_read_what_is_there(shards, tmp_path):
    values = shards[2]

    def read(seed):
        samples, random = reader(shards, tmp_path, 3), np.random.default_rng(seed)
        for _ in range(60):
            ahead, now = random.integers(0, len(values), (2, 4))
            samples.announce(ahead)
            np.testing.assert_array_equal(samples[now], values[now])
        return samples

    with ThreadPoolExecutor(4) as pool:
        for _ in pool.map(read, range(4)):
            pass
    assert len(list(tmp_path.glob("*.arrayrecord"))) <= 3 + 4  # four readers, each about to fetch one


def test_a_failed_fetch_is_tried_again(shards, tmp_path, monkeypatch):
    samples, fetch = reader(shards, tmp_path, 2), FolderObjects.fetch

    def fails(self, name, file):
        raise OSError("a lost connection")

    monkeypatch.setattr(FolderObjects, "fetch", fails)
    with pytest.raises(OSError, match="a lost connection"):
        samples._staged.path(0)
    shutil.copyfile(shards[0] / "train-0.arrayrecord", tmp_path / "train-0.arrayrecord")  # by another process
    assert samples._staged.path(0).is_file()
    monkeypatch.setattr(FolderObjects, "fetch", fetch)
    np.testing.assert_array_equal(samples[:], shards[2])


def test_what_killed_processes_left_is_deleted(shards, tmp_path):
    old, new = (tmp_path / f".train-0.arrayrecord.{age}.partial" for age in ("old", "new"))
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    reader(shards, tmp_path, 2)
    assert not old.exists()
    assert new.exists()


def test_shards_that_always_go_are_an_error_that_says_why(shards, tmp_path, monkeypatch):
    samples = reader(shards, tmp_path, 2)
    opened = samples._staged.path

    def goes(shard):
        path = opened(shard)
        path.unlink()
        return path

    monkeypatch.setattr(samples._staged, "path", goes)
    with pytest.raises(InputError, match="`staging_gib` is too small"):
        samples[np.array([0])]
