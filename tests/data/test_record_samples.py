"""Samples in shards: small data sets are read once, large ones whenever they are wanted."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fastrrae.data import record_samples
from fastrrae.data.record_samples import RecordSamples, Shard

COUNT, SHAPE = 24, (2, 3)


@pytest.fixture(scope="module")
def values():
    return np.random.default_rng(0).integers(0, 256, (COUNT, *SHAPE), dtype=np.uint8)


@pytest.fixture(scope="module")
def shards(tmp_path_factory, values):
    from array_record.python.array_record_module import ArrayRecordWriter

    folder, shards = tmp_path_factory.mktemp("shards"), []
    for number, part in enumerate(np.split(values, 2)):
        path = str(folder / f"train-{number}.arrayrecord")
        writer = ArrayRecordWriter(path, "group_size:1,uncompressed")
        for sample in part:
            writer.write(sample.tobytes())
        writer.close()
        shards.append(Shard(path, len(part)))
    return shards


@pytest.fixture
def read(monkeypatch):
    """The rows that were read from shards."""
    rows, original = [], RecordSamples._read_records

    def noted(self, indices):
        rows.extend(indices.tolist())
        return original(self, indices)

    monkeypatch.setattr(RecordSamples, "_read_records", noted)
    return rows


WANTED = [np.array([3, 3, 20]), slice(2, 9, 3), np.array([], int), slice(None), np.array([20, 0, 3])]


def test_each_sample_of_a_small_data_set_is_read_once(shards, values, read):
    samples = RecordSamples(shards, SHAPE)
    for rows in WANTED:
        np.testing.assert_array_equal(samples[rows], values[rows])
    assert sorted(read) == list(range(COUNT))


def test_a_batch_is_the_callers_own(shards, values):
    samples = RecordSamples(shards, SHAPE)
    samples[:][...] = 0
    np.testing.assert_array_equal(samples[:], values)


def test_samples_of_a_large_data_set_are_read_each_time(shards, values, read, monkeypatch):
    monkeypatch.setattr(record_samples, "MOST_KEPT", values.nbytes - 1)
    samples = RecordSamples(shards, SHAPE)
    for rows in WANTED:
        np.testing.assert_array_equal(samples[rows], values[rows])
    assert read == [row for rows in WANTED for row in np.arange(COUNT)[rows].tolist()]


def test_a_copy_for_another_process_keeps_nothing(shards, values, read):
    samples = RecordSamples(shards, SHAPE)
    assert len(samples[:]) == COUNT
    copy = pickle.loads(pickle.dumps(samples))
    assert len(pickle.dumps(samples)) < 10_000
    for _ in range(2):
        np.testing.assert_array_equal(copy[:], values)
    assert len(read) == 3 * COUNT


def test_threads_that_want_the_same_samples(shards, values):
    samples = RecordSamples(shards, SHAPE)

    def check(seed):
        random = np.random.default_rng(seed)
        for _ in range(50):
            rows = random.integers(0, COUNT, 8)
            np.testing.assert_array_equal(samples[rows], values[rows])
        return True

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(check, range(8)))
