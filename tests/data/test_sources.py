"""Sources: values, shapes, splits, and what damaged or unfit files say."""

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastrrae import DataConfig, InputError, load_dataset
from fastrrae.data.coloured_shapes import draw_shapes, load_coloured_shapes
from fastrrae.data.gaussians import bumps
from fastrrae.data.samples import SelectedSamples


def test_gaussians_as_the_authors_made_them():
    dataset = load_dataset(DataConfig("gaussians"))
    assert dataset.train.shape == (100, 64, 64, 1)
    assert {name: x.shape for name, x in dataset.tests.items()} == {
        "uniform": (10_000, 64, 64, 1),
        "diagonal": (10_000, 64, 64, 1),
    }
    grid = np.linspace(-1, 1, 64)
    x, y = np.meshgrid(grid, grid)
    centre = np.linspace(-0.5, 0.5, 10)[[3, 7]]
    expected = np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * 0.2**2))
    np.testing.assert_allclose(dataset.train[73, ..., 0], expected, atol=1e-6)
    values = dataset.normalisation.apply(dataset.train)
    assert abs(values.mean()) < 1e-4
    assert abs(values.std() - 1) < 1e-4
    diagonal = dataset.tests["diagonal"]
    np.testing.assert_allclose(diagonal[:50], np.swapaxes(diagonal[:50], 1, 2), atol=1e-6)
    np.testing.assert_array_equal(dataset.test, load_dataset(DataConfig("gaussians")).test)


def test_bumps_take_x_then_y():
    image = bumps(np.array([[0.5, -0.5]]))[0, ..., 0]
    row, column = np.unravel_index(image.argmax(), image.shape)
    assert row < 32 < column


def test_coloured_shapes_against_pixels_one_by_one():
    rng = np.random.default_rng(3)
    kinds, sizes = np.array([0, 1, 0, 1]), np.array([3, 3, 8, 8])
    centres, colours = rng.integers(8, 25, (4, 2)), rng.integers(0, 256, (4, 3))
    images = draw_shapes(kinds, sizes, centres, colours)
    assert images.dtype == np.uint8
    expected = np.zeros((4, 32, 32, 3), np.uint8)
    for image, kind, size, (x, y), colour in zip(expected, kinds, sizes, centres, colours, strict=True):
        for row in range(32):
            for column in range(32):
                across, down = abs(column - x), abs(row - y)
                if (across**2 + down**2 <= size**2) if kind == 0 else (across <= size and down <= size):
                    image[row, column] = colour
    np.testing.assert_array_equal(images, expected)


def test_coloured_shapes_are_in_the_picture_and_of_both_kinds():
    dataset = load_coloured_shapes()
    assert dataset.train.shape == (50_000, 32, 32, 3)
    assert dataset.test.shape == (10_000, 32, 32, 3)
    assert dataset.label_names == ("circle", "square")
    assert 0.49 < dataset.labels["train"].mean() < 0.51
    lit: Any = np.asarray(dataset.test).any(axis=-1)
    across, down = lit.any(axis=1).sum(axis=1), lit.any(axis=2).sum(axis=1)
    coloured = across > 0  # one colour in 16 million is black
    whole = {2 * size + 1 for size in range(3, 9)}
    assert set(across[coloured]) == set(down[coloured]) == whole | {16}  # of 17, the edge cuts one off where it is near
    square = dataset.labels["test"] == 1
    np.testing.assert_array_equal((lit.sum(axis=(1, 2)) == across * down)[coloured], square[coloured])


def test_digits_have_a_fixed_stratified_split():
    dataset = load_dataset(DataConfig("digits"))
    assert dataset.train.shape == (1437, 8, 8, 1)
    assert dataset.test.shape == (360, 8, 8, 1)
    assert np.bincount(dataset.labels["test"]).min() >= 34
    values = dataset.normalisation.apply(dataset.train)
    assert (values.min(), values.max()) == (0, 1)
    np.testing.assert_allclose(dataset.normalisation.invert(values), dataset.train, atol=1e-5)


def write_idx(path, array, *, compressed=False, cut=0):
    header = struct.pack(f">{1 + array.ndim}I", 2048 + array.ndim, *array.shape)
    content = (header + array.astype(np.uint8).tobytes())[: -cut or None]
    path.write_bytes(gzip.compress(content) if compressed else content)


def write_mnist(folder, **options):
    rng = np.random.default_rng(0)
    suffix = ".gz" if options.get("compressed") else ""
    for split, count in (("train", 30), ("t10k", 12)):
        write_idx(folder / f"{split}-images-idx3-ubyte{suffix}", rng.integers(0, 256, (count, 28, 28)), **options)
        write_idx(folder / f"{split}-labels-idx1-ubyte{suffix}", rng.integers(0, 10, count), **options)


@pytest.mark.parametrize("compressed", [False, True])
def test_mnist_from_idx_files(tmp_path, compressed):
    write_mnist(tmp_path, compressed=compressed)
    dataset = load_dataset(DataConfig("mnist", str(tmp_path)))
    assert dataset.train.shape == (30, 28, 28, 1)
    assert dataset.train.dtype == np.uint8
    assert dataset.labels["test"].shape == (12,)
    assert dataset.normalisation.apply(np.array([255])) == 1


@pytest.mark.parametrize("count", [20, 40])
def test_mnist_with_other_numbers_of_labels_and_images(tmp_path, count):
    write_mnist(tmp_path)
    write_idx(tmp_path / "train-labels-idx1-ubyte", np.zeros(count))
    with pytest.raises(InputError, match=f"holds 30 images and train-labels-idx1-ubyte holds {count} labels"):
        load_dataset(DataConfig("mnist", str(tmp_path)))


def test_mnist_missing_truncated_or_wrong(tmp_path):
    with pytest.raises(InputError, match=r"mnist needs `data\.data`"):
        load_dataset(DataConfig("mnist"))
    with pytest.raises(InputError, match="is not a folder"):
        load_dataset(DataConfig("mnist", str(tmp_path / "absent")))
    write_mnist(tmp_path)
    images = tmp_path / "train-images-idx3-ubyte"
    whole = images.read_bytes()
    images.write_bytes(whole[:-100])
    with pytest.raises(InputError, match=r"cut short: 23520 values announced, 23420 found"):
        load_dataset(DataConfig("mnist", str(tmp_path)))
    images.write_bytes(b"<html>")
    with pytest.raises(InputError, match="header must start with 2051"):
        load_dataset(DataConfig("mnist", str(tmp_path)))
    images.unlink()
    with pytest.raises(InputError, match=r"has neither train-images-idx3-ubyte nor train-images-idx3-ubyte\.gz"):
        load_dataset(DataConfig("mnist", str(tmp_path)))
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(whole)[:-50])
    with pytest.raises(InputError, match="damaged or cut short"):
        load_dataset(DataConfig("mnist", str(tmp_path)))


@pytest.mark.parametrize(
    ("shape", "layout", "sample_shape"),
    [
        ((50, 6), "auto", (6,)),
        ((50, 6, 2), "auto", (6, 2)),
        ((50, 6, 5, 3), "auto", (6, 5, 3)),
        ((50, 6), "signal", (6, 1)),
        ((50, 6, 5), "image", (6, 5, 1)),
    ],
)
def test_arrays_of_every_layout(tmp_path, shape, layout, sample_shape):
    values = np.random.default_rng(0).standard_normal(shape) * 3 + 7
    np.save(tmp_path / "a.npy", values)
    dataset = load_dataset(DataConfig("array", str(tmp_path / "a.npy"), layout))
    assert dataset.sample_shape == sample_shape
    assert (len(dataset.train), len(dataset.test)) == (40, 10)
    together = np.concatenate([dataset.train, dataset.test]).reshape(50, -1)
    np.testing.assert_allclose(np.sort(together[:, 0]), np.sort(values.reshape(50, -1)[:, 0]), rtol=1e-6)
    normalised = dataset.normalisation.apply(dataset.train)
    np.testing.assert_allclose((normalised.mean(), normalised.std()), (0, 1), atol=1e-4)


def test_npz_with_train_and_test(tmp_path):
    np.savez(tmp_path / "a.npz", train=np.arange(12.0).reshape(6, 2), test=np.ones((3, 2)))
    dataset = load_dataset(DataConfig("array", str(tmp_path / "a.npz"), normalise="unit"))
    assert (len(dataset.train), len(dataset.test)) == (6, 3)
    assert dataset.normalisation.apply(dataset.train).max() == 1


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"train": np.ones((4, 2)), "test": np.ones((4, 3))}, "differ in shape"),
        ({"a": np.ones((4, 2)), "b": np.ones((4, 3))}, 'must hold one array, or two named "train" and "test"'),
        ({"a": np.ones(4)}, "must have samples along its first axis"),
        ({"a": np.ones((4, 2), complex)}, "must hold real numbers; got complex128"),
        ({"a": np.array([["x", "y"]])}, "must hold real numbers"),
        (
            {"a": np.array([[1.0, 2.0], [1.0, np.nan], [1.0, 4.0]])},
            "NaN or infinity in 1 of 3 samples, first in sample 1",
        ),
        ({"a": np.ones((10, 2))}, "all values of the training set equal 1"),
        ({"a": np.ones((1, 2))}, "leaves nothing to"),
        ({"a": np.ones((4, 2, 2, 2, 2))}, "does not fit `data.layout` = auto"),
        ({"a": np.array([{}, {}], dtype=object)}, "not a readable"),
    ],
)
def test_arrays_that_do_not_fit(tmp_path, arrays, message):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(InputError, match=message):
        load_dataset(DataConfig("array", str(tmp_path / "a.npz")))


def test_array_files_that_are_not(tmp_path):
    with pytest.raises(InputError, match=r"`data\.data` must be a \.npy, \.npz or \.csv file"):
        load_dataset(DataConfig("array"))
    with pytest.raises(InputError, match="is not a file"):
        load_dataset(DataConfig("array", str(tmp_path / "absent.npy")))
    (tmp_path / "a.npy").write_bytes(b"not numbers")
    with pytest.raises(InputError, match="not a readable"):
        load_dataset(DataConfig("array", str(tmp_path / "a.npy")))


def test_the_real_mnist():
    folder = Path(__file__).parents[3] / "shared" / "data" / "mnist"
    if not folder.is_dir():
        pytest.skip("no MNIST files beside the checkout")
    dataset = load_dataset(DataConfig("mnist", str(folder)))
    assert (dataset.train.shape, dataset.test.shape) == ((60_000, 28, 28, 1), (10_000, 28, 28, 1))
    np.testing.assert_allclose(dataset.normalisation.apply(dataset.train[:1000]).mean(), 0.13, atol=0.01)
    assert np.bincount(dataset.labels["train"]).tolist()[:3] == [5923, 6742, 5958]


def test_the_first_samples_of_a_training_set():
    whole, first = load_dataset(DataConfig("digits")), load_dataset(DataConfig("digits", train_count=100))
    np.testing.assert_array_equal(first.train, whole.train[:100])
    np.testing.assert_array_equal(first.labels["train"], whole.labels["train"][:100])
    np.testing.assert_array_equal(first.labels["test"], whole.labels["test"])
    assert (len(first.test), first.normalisation) == (360, whole.normalisation)
    with pytest.raises(InputError, match=r"`data.train_count` must be at least 1 and at most 1437; got 1438"):
        load_dataset(DataConfig("digits", train_count=1438))
    with pytest.raises(InputError, match=r"`data.train_count` must be an integer, at least 1 or absent; got 0"):
        DataConfig("digits", train_count=0)


def test_selected_samples_are_read_when_wanted():
    values = np.arange(24).reshape(12, 2)
    first = SelectedSamples(values, np.arange(5))
    assert (len(first), first.shape, first.dtype) == (5, (5, 2), values.dtype)
    np.testing.assert_array_equal(first, values[:5])
    np.testing.assert_array_equal(first[1:-1], values[1:4])
    np.testing.assert_array_equal(first[np.array([4, 0])], values[[4, 0]])
    with pytest.raises(IndexError):
        first[np.array([5])]
