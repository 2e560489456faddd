"""CIFAR-10, SVHN and MNIST as their authors publish them, with their labels."""

import numpy as np
import pytest
import scipy.io

from fastrrae import InputError, load_dataset
from fastrrae.cli import run_command
from fastrrae.config import DataConfig
from fastrrae.data.records import load_records
from fastrrae.prepare import list_svhn


@pytest.fixture
def cifar10(tmp_path):
    source = tmp_path / "cifar-10-batches-bin"
    source.mkdir()
    rng = np.random.default_rng(0)
    for name in (*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"):
        values = rng.integers(0, 256, (7, 3073), np.uint8)
        values[:, 0] %= 10
        values.tofile(source / name)
    return source


def test_cifar10_and_its_labels(cifar10, tmp_path):
    out = tmp_path / "out"
    assert run_command(["prepare", "cifar10", str(tmp_path), str(out)]) == 0
    dataset = load_records(str(out))
    assert dataset.train.shape == (35, 32, 32, 3)
    raw = np.fromfile(cifar10 / "data_batch_2.bin", np.uint8).reshape(-1, 3073)
    np.testing.assert_array_equal(dataset.labels["train"][7:14], raw[:, 0])
    image = dataset.train[7:8][0]
    np.testing.assert_array_equal(image[3, 5], raw[0, 1:].reshape(3, 32, 32)[:, 3, 5])


def write_svhn(path, count, **changes):
    rng = np.random.default_rng(count)
    images, labels = rng.integers(0, 256, (32, 32, 3, count), np.uint8), np.arange(1, count + 1)[:, None] % 10 + 1
    scipy.io.savemat(path, {"X": images, "y": labels.astype(np.uint8)} | changes)
    return images, labels


def test_svhn_and_its_labels(tmp_path):
    images, labels = write_svhn(tmp_path / "train_32x32.mat", 12)
    write_svhn(tmp_path / "test_32x32.mat", 5)
    assert run_command(["prepare", "svhn", str(tmp_path), str(tmp_path / "out")]) == 0
    dataset = load_records(str(tmp_path / "out"))
    assert (dataset.train.shape, dataset.test.shape) == ((12, 32, 32, 3), (5, 32, 32, 3))
    np.testing.assert_array_equal(dataset.train[3:4][0], images[..., 3])
    np.testing.assert_array_equal(dataset.labels["train"], labels.ravel() % 10)  # a zero is called 10 in the file


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"X": np.zeros((32, 32, 12), np.uint8)}, "it must hold X, bytes of shape"),
        ({"X": np.zeros((32, 32, 3, 12))}, "it must hold X, bytes of shape"),
        ({"y": np.ones(7)}, "y must have a digit from 1 to 10 for each of its images"),
        ({"y": np.full(12, 11)}, "y must have a digit from 1 to 10"),
    ],
)
def test_svhn_that_is_none_is_refused(tmp_path, changes, message):
    write_svhn(tmp_path / "train_32x32.mat", 12, **changes)
    with pytest.raises(InputError, match=message):
        list_svhn(tmp_path)
    (tmp_path / "train_32x32.mat").write_bytes(b"MATLAB 5.0 MAT-file, cut short")
    with pytest.raises(InputError, match="is damaged or not a file of Matlab 5"):
        list_svhn(tmp_path)
    (tmp_path / "train_32x32.mat").unlink()
    with pytest.raises(InputError, match="is missing: the folder must hold SVHN's"):
        list_svhn(tmp_path)


def test_mnist(tmp_path):
    source = tmp_path / "mnist"
    source.mkdir()
    rng = np.random.default_rng(0)
    for name, count in (("train", 12), ("t10k", 5)):
        images = rng.integers(0, 256, (count, 28, 28), np.uint8)
        header = np.array([2051, count, 28, 28], ">u4").tobytes()
        (source / f"{name}-images-idx3-ubyte").write_bytes(header + images.tobytes())
        labels = np.arange(count, dtype=np.uint8) % 10
        header = np.array([2049, count], ">u4").tobytes()
        (source / f"{name}-labels-idx1-ubyte").write_bytes(header + labels.tobytes())
    assert run_command(["prepare", "mnist", str(source), str(tmp_path / "out")]) == 0
    prepared = load_dataset(DataConfig("mnist", str(tmp_path / "out")))
    direct = load_dataset(DataConfig("mnist", str(source)))
    np.testing.assert_array_equal(prepared.train[:], direct.train[:])
    padded = load_dataset(DataConfig("mnist", str(source), pad_to=32))
    assert padded.sample_shape == (32, 32, 1)
    np.testing.assert_array_equal(padded.train[:, 2:30, 2:30], direct.train[:])
    assert padded.train[:].sum() == direct.train[:].sum()
    with pytest.raises(InputError, match=r"`data\.pad_to` must be at least the images' side, 28; got 27"):
        load_dataset(DataConfig("mnist", str(source), pad_to=27))
    with pytest.raises(InputError, match=r"`data\.pad_to` is for the IDX files of MNIST"):
        load_dataset(DataConfig("mnist", str(tmp_path / "out"), pad_to=32))
    np.testing.assert_array_equal(prepared.labels["test"], direct.labels["test"])
    assert prepared.normalisation == direct.normalisation
