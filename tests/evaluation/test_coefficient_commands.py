"""`encode`, `decode`, `traverse` and `interpolate`, in Python and on the command line."""

import numpy as np
import pytest
from PIL import Image

from fastrrae import (
    AE,
    DataConfig,
    Dataset,
    InputError,
    NetworkConfig,
    RunConfig,
    ShardingConfig,
    TrainingConfig,
    load_dataset,
    load_run,
    train,
)
from fastrrae.cli import run_command
from fastrrae.interpolation import points_between

RANK = 3
DIGITS = load_dataset(DataConfig("digits"))


def trained(out, data, dataset):
    config = RunConfig(
        "small",
        data,
        AE(rank=RANK),
        network=NetworkConfig(network="mlp", encoder_widths=(16,), decoder_widths=(16,)),
        training=TrainingConfig(steps=2, batch_size=16),
        sharding=ShardingConfig(data_devices=1),
    )
    train(config, dataset, out, quiet=True)
    return load_run(out)


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("digits") / "run", DataConfig("digits"), DIGITS)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A run on a table with labels and parameters, whose samples have as many features as coefficients."""
    path = tmp_path_factory.mktemp("table") / "x.csv"
    rows = np.random.default_rng(0).standard_normal((40, RANK + 1))
    lines = [",".join([*map(str, row), "hot" if row[0] > 0 else "cold"]) for row in rows]
    path.write_text("\n".join(["a,b,c,time,kind", *lines]))
    data = DataConfig("array", str(path), label_column="kind", parameter_columns=("time",))
    return trained(path.parent / "run", data, load_dataset(data))


def command(*arguments):
    return run_command([str(argument) for argument in arguments])


# --- in Python ---


def test_a_traversal_is_decoded_from_the_mean_or_from_a_sample(digits):
    low, high = digits.coefficient_ranges[1]
    point = digits.training_coefficients.mean(axis=0)
    samples = digits.traverse(1, steps=4)
    assert samples.shape == (4, 8, 8, 1)
    for value, sample in zip(np.linspace(low, high, 4), samples, strict=True):
        point[1] = value
        np.testing.assert_allclose(sample, digits.decode(point[None])[0], atol=1e-5)
    by_index, by_sample = digits.traverse(0, 3, start=5), digits.traverse(0, 3, start=digits.examples[5])
    by_coefficients = digits.traverse(0, 3, start=digits.coefficients(digits.examples[5:6])[0])
    np.testing.assert_allclose(by_index, by_sample, atol=1e-5)
    np.testing.assert_allclose(by_index, by_coefficients, atol=1e-5)


@pytest.mark.parametrize("method", ["linear", "spherical"])
def test_an_interpolation_is_decoded_from_points_between(digits, method):
    a, b = digits.coefficients(digits.examples[:2])
    expected = digits.decode(points_between(a, b, np.linspace(0, 1, 5), method))
    np.testing.assert_allclose(digits.interpolate(0, 1, 5, method), expected, atol=1e-5)
    np.testing.assert_allclose(digits.interpolate(a, digits.examples[1], 5, method), expected, atol=1e-5)


def test_ends_that_are_nothing_are_refused(digits):
    with pytest.raises(InputError, match=r"`a` must be from 0 to 31, an index of `examples`; got 32"):
        digits.interpolate(32, 0)
    with pytest.raises(
        InputError, match=r"`b` must be a sample \(8, 8, 1\), coefficients \(3,\).*got the shape \(4,\)"
    ):
        digits.interpolate(0, np.zeros(4))
    with pytest.raises(InputError, match="`steps` must be at least 2"):
        digits.interpolate(0, 1, steps=1)
    with pytest.raises(InputError, match="`coefficients` must be finite"):
        digits.interpolate(0, np.array([0, np.nan, 0]))
    with pytest.raises(InputError, match="samples must be finite"):
        digits.interpolate(0, np.full((8, 8, 1), np.nan))


def test_ends_that_could_be_samples_or_coefficients_are_refused(table):
    assert table.sample_shape == (table.rank,)
    with pytest.raises(InputError, match="`a` could be a sample or coefficients"):
        table.interpolate(np.zeros(3), 1)
    assert table.interpolate(0, 1, 4).shape == (4, 3)


# --- on the command line ---


@pytest.mark.parametrize("suffix", [".csv", ".npy"])
def test_what_is_encoded_can_be_decoded(digits, tmp_path, suffix, capsys):
    codes, samples = tmp_path / f"codes{suffix}", tmp_path / "samples.npy"
    assert command("encode", digits.folder.root, "--out", codes) == 0
    assert (
        "encoded 360 samples of the split test of the data of the run, 3 coefficients each" in capsys.readouterr().out
    )
    assert command("decode", digits.folder.root, "--coefficients", codes, "--out", samples) == 0
    np.testing.assert_allclose(np.load(samples), digits.reconstruct(DIGITS.test), atol=1e-5)
    if suffix == ".csv":
        assert codes.read_text().startswith("coefficient_0,coefficient_1,coefficient_2\n")


def test_a_split_a_file_of_images_and_a_table_are_encoded(digits, table, tmp_path):
    codes = tmp_path / "codes.npy"
    assert command("encode", digits.folder.root, "--split", "train", "--out", codes) == 0
    np.testing.assert_allclose(np.load(codes), digits.training_coefficients, atol=1e-5)
    np.save(tmp_path / "x.npy", DIGITS.test[:7, ..., 0])
    assert command("encode", digits.folder.root, "--data", tmp_path / "x.npy", "--out", codes) == 0
    np.testing.assert_allclose(np.load(codes), digits.coefficients(DIGITS.test[:7]), atol=1e-5)
    (tmp_path / "new.csv").write_text("a,b,c,kind\n1,2,3,hot\n0,0,1,cold\n")
    assert command("encode", table.folder.root, "--data", tmp_path / "new.csv", "--out", codes) == 0
    np.testing.assert_allclose(np.load(codes), table.coefficients(np.array([[1, 2, 3], [0, 0, 1.0]])), atol=1e-6)


def test_pictures(digits, table, tmp_path):
    np.save(tmp_path / "codes.npy", digits.training_coefficients[0])
    assert (
        command("decode", digits.folder.root, "--coefficients", tmp_path / "codes.npy", "--out", tmp_path / "d.png")
        == 1
    )
    np.save(tmp_path / "codes.npy", digits.training_coefficients[:3])
    assert (
        command("decode", digits.folder.root, "--coefficients", tmp_path / "codes.npy", "--out", tmp_path / "d.png")
        == 0
    )
    for name, run in (("digits", digits), ("table", table)):
        assert command("traverse", run.folder.root, "--steps", 3, "--out", tmp_path / f"t-{name}.png") == 0
        options = ["--pairs", 0, 3, "--steps", 3, "--method", "spherical", "--out", tmp_path / f"i-{name}.png"]
        assert command("interpolate", run.folder.root, *options) == 0
    for path in tmp_path.glob("*.png"):
        with Image.open(path) as picture:
            assert picture.size[0] > 100


def test_values_of_traversals_and_interpolations(digits, tmp_path):
    out = tmp_path / "a.npy"
    assert (
        command("traverse", digits.folder.root, "--coefficient", 2, 0, "--steps", 4, "--sample", 1, "--out", out) == 0
    )
    np.testing.assert_allclose(np.load(out), [digits.traverse(2, 4, 1), digits.traverse(0, 4, 1)], atol=1e-5)
    # The third pair is beyond the samples that the run keeps: the data set is read.
    pairs = ["--pairs", 0, 9, 31, 2, 300, 41]
    assert command("interpolate", digits.folder.root, *pairs, "--steps", 5, "--method", "spherical", "--out", out) == 0
    found = np.load(out)
    assert found.shape == (3, 5, 8, 8, 1)
    np.testing.assert_allclose(found[0], digits.interpolate(0, 9, 5, "spherical"), atol=1e-5)
    ends = digits.interpolate(DIGITS.test[300], DIGITS.test[41], 5, "spherical")
    np.testing.assert_allclose(found[2], ends, atol=1e-5)


REFUSED = [
    (["encode", "--data", "missing.npy"], "--data must be a .npy, .npz or .csv file; missing.npy is not a file"),
    (["encode", "--data", "."], "--data must be a .npy, .npz or .csv file for this run"),
    (["encode", "--split", "later"], "--split must be one of train, test; got 'later'"),
    (["encode", "--data", "nan.npy"], "--data has NaN or infinity in 1 of 2 samples"),
    (["encode", "--data", "wide.npy"], "--data must have rows of the shape (8, 8, 1); those of wide.npy have (4,)"),
    (["encode", "--out", "codes.txt"], "--out must end in .npy or .csv; got codes.txt"),
    (["encode", "--out", "nowhere/codes.npy"], "--out is in the folder nowhere, which does not exist"),
    (
        ["decode", "--coefficients", "wide.npy"],
        "--coefficients must have rows of the shape (3,); those of wide.npy have (4,)",
    ),
    (["decode", "--coefficients", "nan-codes.npy"], "--coefficients has NaN or infinity in 1 of 2 samples"),
    (["decode", "--coefficients", "words.csv"], "must be a number; got 'x'"),
    (["decode", "--coefficients", "objects.npy"], "it holds Python objects, which are stored as pickles"),
    (["traverse", "--coefficient", "3"], "--coefficient must be from 0 to 2, for a rank of 3; got 3"),
    (["traverse", "--steps", "1"], "--steps must be at least 2"),
    (["traverse", "--steps", "1000"], "at most 100 in a row"),
    (["traverse", "--sample", "32"], "--sample must be a test sample that the run keeps, from 0 to 31; got 32"),
    (["interpolate", "--pairs", "0", "360"], "--pairs must be indices of test samples, from 0 to 359; got 360"),
    (["interpolate", "--pairs", "0", "-1"], "--pairs must be indices of test samples, from 0 to 31; got -1"),
]


@pytest.mark.parametrize(("arguments", "said"), REFUSED, ids=lambda value: " ".join(value) if value else "")
def test_what_cannot_be_done_is_said_and_nothing_is_written(digits, arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    np.save("wide.npy", np.zeros((2, 4)))
    np.save("nan.npy", np.where(np.arange(128) == 70, np.nan, 0.0).reshape(2, 8, 8, 1))
    np.save("nan-codes.npy", [[0, 0, 0], [0, np.nan, 0]])
    np.save("objects.npy", np.array([{}], object), allow_pickle=True)
    (tmp_path / "words.csv").write_text("a,b,c\n1,2,x\n")
    before = set(tmp_path.iterdir())
    name, *options = arguments
    assert command(name, digits.folder.root, *options) == 1
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error
    assert set(tmp_path.iterdir()) == before


def test_data_that_was_handed_over_in_python_is_asked_for(tmp_path, capsys):
    x = np.random.default_rng(0).standard_normal((60, 5)).astype(np.float32)
    run = trained(tmp_path / "run", DataConfig(), Dataset.from_arrays(x))
    assert command("encode", run.folder.root, "--out", tmp_path / "codes.npy") == 1
    assert "give --data: that of the run" in capsys.readouterr().err
    assert command("interpolate", run.folder.root, "--pairs", 0, 40, "--out", tmp_path / "a.npy") == 1
    assert "--pairs must be below 12" in capsys.readouterr().err
    np.save(tmp_path / "x.npy", x)
    assert command("encode", run.folder.root, "--data", tmp_path / "x.npy", "--out", tmp_path / "codes.npy") == 0
    assert np.load(tmp_path / "codes.npy").shape == (60, RANK)
