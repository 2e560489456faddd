"""`encode`, `decode`, `traverse` and `interpolate`, in Python and on the command line."""

import numpy as np
import pytest
from PIL import Image

from fastrrae import InputError
from fastrrae.cli import run_command
from fastrrae.interpolation import points_between


@pytest.fixture
def images(digits):
    """A run of rank 4 on the digits."""
    return digits[0]


@pytest.fixture
def unseen_images(digits):
    return digits[1].test


@pytest.fixture
def rows(table):
    """A run on a table with labels and parameters, whose samples have as many features as coefficients."""
    return table[0]


def command(*arguments):
    return run_command([str(argument) for argument in arguments])


# --- in Python ---


def test_a_traversal_is_decoded_from_the_mean_or_from_a_sample(images):
    low, high = images.coefficient_ranges[1]
    point = images.training_coefficients.mean(axis=0)
    samples = images.traverse(1, steps=4)
    assert samples.shape == (4, 8, 8, 1)
    for value, sample in zip(np.linspace(low, high, 4), samples, strict=True):
        point[1] = value
        np.testing.assert_allclose(sample, images.decode(point[None])[0], atol=1e-5)
    by_index, by_sample = images.traverse(0, 3, start=5), images.traverse(0, 3, start=images.examples[5])
    by_coefficients = images.traverse(0, 3, start=images.coefficients(images.examples[5:6])[0])
    np.testing.assert_allclose(by_index, by_sample, atol=1e-5)
    np.testing.assert_allclose(by_index, by_coefficients, atol=1e-5)


@pytest.mark.parametrize("method", ["linear", "spherical"])
def test_an_interpolation_is_decoded_from_points_between(images, method):
    a, b = images.coefficients(images.examples[:2])
    expected = images.decode(points_between(a, b, np.linspace(0, 1, 5), method))
    np.testing.assert_allclose(images.interpolate(0, 1, 5, method), expected, atol=1e-5)
    np.testing.assert_allclose(images.interpolate(a, images.examples[1], 5, method), expected, atol=1e-5)


def test_ends_that_are_nothing_are_refused(images):
    with pytest.raises(InputError, match=r"`a` must be from 0 to 31, an index of `examples`; got 32"):
        images.interpolate(32, 0)
    with pytest.raises(
        InputError, match=r"`b` must be a sample \(8, 8, 1\), coefficients \(4,\).*got the shape \(5,\)"
    ):
        images.interpolate(0, np.zeros(5))
    with pytest.raises(InputError, match="`steps` must be at least 2"):
        images.interpolate(0, 1, steps=1)
    with pytest.raises(InputError, match="`coefficients` must be finite"):
        images.interpolate(0, np.array([0, np.nan, 0, 0]))
    with pytest.raises(InputError, match="samples must be finite"):
        images.interpolate(0, np.full((8, 8, 1), np.nan))


def test_ends_that_could_be_samples_or_coefficients_are_refused(rows):
    assert rows.sample_shape == (rows.rank,)
    with pytest.raises(InputError, match="`a` could be a sample or coefficients"):
        rows.interpolate(np.zeros(4), 1)
    assert rows.interpolate(0, 1, 3).shape == (3, 4)


# --- on the command line ---


@pytest.mark.parametrize("suffix", [".csv", ".npy"])
def test_what_is_encoded_can_be_decoded(images, unseen_images, tmp_path, suffix, capsys):
    codes, samples = tmp_path / f"codes{suffix}", tmp_path / "samples.npy"
    assert command("encode", images.folder.root, "--out", codes) == 0
    assert (
        "encoded 360 samples of the split test of the data of the run, 4 coefficients each" in capsys.readouterr().out
    )
    assert command("decode", images.folder.root, "--coefficients", codes, "--out", samples) == 0
    np.testing.assert_allclose(np.load(samples), images.reconstruct(unseen_images), atol=1e-5)
    if suffix == ".csv":
        assert codes.read_text().startswith("coefficient_0,coefficient_1,coefficient_2,coefficient_3\n")


def test_a_split_a_file_of_images_and_a_table_are_encoded(images, unseen_images, rows, tmp_path):
    codes = tmp_path / "codes.npy"
    assert command("encode", images.folder.root, "--split", "train", "--out", codes) == 0
    np.testing.assert_allclose(np.load(codes), images.training_coefficients, atol=1e-5)
    np.save(tmp_path / "x.npy", unseen_images[:7, ..., 0])
    assert command("encode", images.folder.root, "--data", tmp_path / "x.npy", "--out", codes) == 0
    np.testing.assert_allclose(np.load(codes), images.coefficients(unseen_images[:7]), atol=1e-5)
    (tmp_path / "new.csv").write_text("a,b,c,d,kind\n1,2,3,4,hot\n0,0,1,0,cold\n")
    assert command("encode", rows.folder.root, "--data", tmp_path / "new.csv", "--out", codes) == 0
    np.testing.assert_allclose(np.load(codes), rows.coefficients(np.array([[1, 2, 3, 4], [0, 0, 1.0, 0]])), atol=1e-6)


def test_columns_in_another_order_are_refused(rows, tmp_path, capsys):
    (tmp_path / "new.csv").write_text("b,a,c,d\n1,2,3,4\n")
    assert command("encode", rows.folder.root, "--data", tmp_path / "new.csv", "--out", tmp_path / "codes.npy") == 1
    error = capsys.readouterr().err
    assert "--data must have the columns of" in error
    assert "in their order: a, b, c, d; those of" in error


def test_pictures(images, rows, tmp_path):
    np.save(tmp_path / "codes.npy", images.training_coefficients[0])
    assert (
        command("decode", images.folder.root, "--coefficients", tmp_path / "codes.npy", "--out", tmp_path / "d.png")
        == 1
    )
    np.save(tmp_path / "codes.npy", images.training_coefficients[:3])
    assert (
        command("decode", images.folder.root, "--coefficients", tmp_path / "codes.npy", "--out", tmp_path / "d.png")
        == 0
    )
    for name, run in (("images", images), ("rows", rows)):
        assert command("traverse", run.folder.root, "--steps", 3, "--out", tmp_path / f"t-{name}.png") == 0
        options = ["--pairs", 0, 3, "--steps", 3, "--method", "spherical", "--out", tmp_path / f"i-{name}.png"]
        assert command("interpolate", run.folder.root, *options) == 0
    for path in tmp_path.glob("*.png"):
        with Image.open(path) as picture:
            assert picture.size[0] > 100


def test_values_of_traversals_and_interpolations(images, unseen_images, tmp_path):
    out = tmp_path / "a.npy"
    assert (
        command("traverse", images.folder.root, "--coefficient", 2, 0, "--steps", 4, "--sample", 1, "--out", out) == 0
    )
    np.testing.assert_allclose(np.load(out), [images.traverse(2, 4, 1), images.traverse(0, 4, 1)], atol=1e-5)
    # The third pair is beyond the samples that the run keeps: the data set is read.
    pairs = ["--pairs", 0, 9, 31, 2, 300, 41]
    assert command("interpolate", images.folder.root, *pairs, "--steps", 5, "--method", "spherical", "--out", out) == 0
    found = np.load(out)
    assert found.shape == (3, 5, 8, 8, 1)
    np.testing.assert_allclose(found[0], images.interpolate(0, 9, 5, "spherical"), atol=1e-5)
    ends = images.interpolate(unseen_images[300], unseen_images[41], 5, "spherical")
    np.testing.assert_allclose(found[2], ends, atol=1e-5)


REFUSED = [
    (["encode", "--data", "missing.npy"], "--data must be a .npy, .npz or .csv file; missing.npy is not a file"),
    (["encode", "--data", "."], "--data must be a .npy, .npz or .csv file for this run"),
    (["encode", "--split", "later"], "--split must be one of train, test; got 'later'"),
    (["encode", "--data", "nan.npy"], "--data has NaN or infinity in 1 of 2 samples"),
    (["encode", "--data", "wide.npy"], "--data must have rows of the shape (8, 8, 1); those of wide.npy have (5,)"),
    (["encode", "--out", "codes.txt"], "--out must end in .npy or .csv; got codes.txt"),
    (["encode", "--out", "nowhere/codes.npy"], "--out is in the folder nowhere, which does not exist"),
    (
        ["decode", "--coefficients", "wide.npy"],
        "--coefficients must have rows of the shape (4,); those of wide.npy have (5,)",
    ),
    (["decode", "--coefficients", "nan-codes.npy"], "--coefficients has NaN or infinity in 1 of 2 samples"),
    (["decode", "--coefficients", "words.csv"], "must be a number; got 'x'"),
    (["decode", "--coefficients", "objects.npy"], "it holds Python objects, which are stored as pickles"),
    (["traverse", "--coefficient", "4"], "--coefficient must be from 0 to 3, for a rank of 4; got 4"),
    (["traverse", "--steps", "1"], "--steps must be at least 2"),
    (["traverse", "--steps", "1000"], "at most 100 in a row"),
    (["traverse", "--sample", "32"], "--sample must be a test sample that the run keeps, from 0 to 31; got 32"),
    (["interpolate", "--pairs", "0", "360"], "--pairs must be indices of test samples, from 0 to 359; got 360"),
    (["interpolate", "--pairs", "0", "-1"], "--pairs must be indices of test samples, from 0 to 31; got -1"),
]


@pytest.mark.parametrize(
    ("arguments", "said"), REFUSED, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_what_cannot_be_done_is_said_and_nothing_is_written(images, arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    np.save("wide.npy", np.zeros((2, 5)))
    np.save("nan.npy", np.where(np.arange(128) == 70, np.nan, 0.0).reshape(2, 8, 8, 1))
    np.save("nan-codes.npy", [[0, 0, 0, 0], [0, np.nan, 0, 0]])
    np.save("objects.npy", np.array([{}], object), allow_pickle=True)
    (tmp_path / "words.csv").write_text("a,b,c,d\n1,2,3,x\n")
    before = set(tmp_path.iterdir())
    name, *options = arguments
    assert command(name, images.folder.root, *options) == 1
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error
    assert set(tmp_path.iterdir()) == before


def test_data_that_was_handed_over_in_python_is_asked_for(signals, tmp_path, capsys):
    run, _ = signals
    assert command("encode", run.folder.root, "--out", tmp_path / "codes.npy") == 1
    assert "give --data: that of the run" in capsys.readouterr().err
    assert command("interpolate", run.folder.root, "--pairs", 0, 40, "--out", tmp_path / "a.npy") == 1
    assert "--pairs must be below 10" in capsys.readouterr().err
    np.save(tmp_path / "x.npy", run.examples[:7, :, 0])
    assert command("encode", run.folder.root, "--data", tmp_path / "x.npy", "--out", tmp_path / "codes.npy") == 0
    np.testing.assert_allclose(np.load(tmp_path / "codes.npy"), run.coefficients(run.examples[:7]), atol=1e-5)
