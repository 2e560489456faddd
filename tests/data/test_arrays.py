"""Data of the user's own, in memory and in files: split, labels, types, resolution, and what is refused."""

import pickle

import grain
import numpy as np
import pytest

from fastrrae import DataConfig, Dataset, InputError, load_dataset
from fastrrae.data import GrainSamples, Samples
from fastrrae.data.samples import MappedSamples, SelectedSamples

X = np.random.default_rng(0).standard_normal((200, 6))


def load(path, **options):
    return load_dataset(DataConfig("array", str(path), **options))


def rows_of(dataset):
    """The first feature of all samples, by split."""
    return {name: np.asarray(samples)[:, 0] for name, samples in {"train": dataset.train, **dataset.tests}.items()}


def test_each_sample_is_in_one_split_with_its_label_and_parameters():
    labels, parameters = np.where(X[:, 0] > 0, "warm", "cold"), X[:, :2] * 10
    dataset = Dataset.from_arrays(X, labels, parameters, validation_fraction=0.1, parameter_names=("p", "q"))
    assert {name: len(values) for name, values in rows_of(dataset).items()} == {
        "train": 140,
        "test": 40,
        "validation": 20,
    }
    assert dataset.validation is dataset.tests["validation"]
    assert dataset.test is dataset.tests["test"]
    np.testing.assert_array_equal(np.sort(np.concatenate(list(rows_of(dataset).values()))), np.sort(X[:, 0]))
    assert dataset.label_names == ("cold", "warm")
    for split, values in rows_of(dataset).items():
        np.testing.assert_array_equal(dataset.labels[split], values > 0)
        np.testing.assert_array_equal(dataset.parameters[split][:, 0], values * 10)


def test_the_test_set_depends_on_the_seed_and_not_on_validation():
    test = rows_of(Dataset.from_arrays(X))["test"]
    np.testing.assert_array_equal(rows_of(Dataset.from_arrays(X, validation_fraction=0.3))["test"], test)
    assert set(rows_of(Dataset.from_arrays(X, seed=1))["test"]) != set(test)


def test_a_test_set_of_its_own():
    dataset = Dataset.from_arrays(
        X, np.arange(200) % 3, test=X[:30] + 1, test_labels=np.ones(30, int), validation_fraction=0.1
    )
    assert (len(dataset.train), len(dataset.test), len(dataset.tests["validation"])) == (180, 30, 20)
    np.testing.assert_array_equal(dataset.labels["test"], 1)
    at = {value: index % 3 for index, value in enumerate(X[:, 0])}
    for split in ("train", "validation"):
        np.testing.assert_array_equal(dataset.labels[split], [at[value] for value in rows_of(dataset)[split]])


def test_a_validation_split_of_sources_with_a_fixed_split():
    whole = load_dataset(DataConfig("digits"))
    dataset = load_dataset(DataConfig("digits", validation_fraction=0.2))
    assert (len(dataset.train), len(dataset.tests["validation"])) == (1150, 287)
    assert dataset.normalisation == whole.normalisation
    np.testing.assert_array_equal(dataset.test, whole.test)
    assert len(dataset.labels["train"]) == 1150
    assert len(dataset.labels["validation"]) == 287


@pytest.mark.parametrize("offset", [0, 1e6, 1.7e9, 1e12])
def test_float64_keeps_its_resolution(tmp_path, offset):
    np.save(tmp_path / "x.npy", offset + X)
    dataset = load(tmp_path / "x.npy")
    values = dataset.normalisation.apply(dataset.train)
    assert values.dtype == np.float32
    plain = load_dataset_of(X, tmp_path)
    np.testing.assert_allclose(values, plain, atol=max(1e-6, 4 * np.spacing(offset)))
    np.testing.assert_allclose(dataset.normalisation.invert(values), dataset.train, rtol=0, atol=1e-4)
    assert dataset.normalise_on_host


def load_dataset_of(x, folder):
    np.save(folder / "plain.npy", x)
    dataset = load(folder / "plain.npy")
    return dataset.normalisation.apply(dataset.train)


def test_columns_of_different_units_are_normalised_each_by_itself():
    x = X * [1e-9, 1, 1e5, 1e30, 3, 0] + [0, 5, 1e9, 0, -2, 7]
    dataset = Dataset.from_arrays(x)
    values = dataset.normalisation.apply(dataset.train)
    np.testing.assert_allclose(values[:, :5].std(axis=0), 1, rtol=1e-4)
    np.testing.assert_array_equal(values[:, 5], 0)
    np.testing.assert_allclose(dataset.normalisation.invert(values), dataset.train, rtol=1e-5)
    one = Dataset.from_arrays(x, normalise="unit-per-feature")
    assert (one.normalisation.apply(one.train)[:, :5].min(axis=0) == 0).all()
    assert (one.normalisation.apply(one.train)[:, :5].max(axis=0) == 1).all()


def test_channels_of_images_on_request():
    images = X.reshape(50, 2, 4, 3) * [1, 10, 100]
    assert isinstance(Dataset.from_arrays(images).normalisation.scale, float)
    dataset = Dataset.from_arrays(images, normalise="standard-per-feature")
    np.testing.assert_allclose(dataset.normalisation.apply(dataset.train).std(axis=(0, 1, 2)), 1, rtol=1e-4)


@pytest.mark.parametrize("dtype", [">i2", ">f8", ">f4", "<i8", "u1", "f2", "longdouble"])
def test_every_type_of_numbers(tmp_path, dtype):
    values = (X * 40 + 100).astype(dtype)
    np.save(tmp_path / "x.npy", values)
    dataset = load(tmp_path / "x.npy")
    assert dataset.train.dtype.isnative
    assert dataset.train.dtype.itemsize <= 8
    train = np.asarray(dataset.train, np.float64)
    expected = (train - train.mean(axis=0)) / train.std(axis=0)
    np.testing.assert_allclose(dataset.normalisation.apply(dataset.train), expected, atol=2e-5)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((0, 6)), "it has no samples"),
        (np.zeros((10, 0)), "samples without values"),
        (X[:5], "must have at least 2 samples; it has 1, of 5"),
        (X[:1], "leaves nothing to test on"),
        (X * 1e39, "beyond 3.4e\\+38, the largest of float32"),
        (np.zeros((20, 3, 32, 32)), r"looks channel-first \(C, H, W\)"),
        (np.zeros((20, 1, 28, 28)), r"looks channel-first \(C, H, W\)"),
        ([[1, 2], [3]], "samples must form one array"),
        (np.full((20, 3), 7.0), "there is nothing to scale"),
        (np.full((20, 3), np.inf), "NaN or infinity in 20 of 20 samples"),
    ],
)
def test_arrays_that_are_refused(x, message):
    with pytest.raises(InputError, match=message):
        Dataset.from_arrays(x)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": np.zeros(199, int)}, "must have one entry for each of 200 samples; got 199"),
        ({"labels": np.zeros((200, 2), int)}, "`labels` must be one integer or string for each sample"),
        ({"labels": X[:, 0]}, "`labels` must be one integer or string for each sample; got float64"),
        ({"labels": np.full(200, 4), "label_names": ("a", "b")}, "`labels` must be from 0 to 1"),
        ({"parameters": X[:7]}, "`parameters` must be numbers, one row for each of 200 samples"),
        ({"test_labels": np.zeros(40, int)}, "belong to samples given as `test`"),
        ({"test": X[:20, :3]}, "differ in shape"),
        ({"test": X[:20], "test_labels": np.zeros(3, int)}, "has 20 samples and 3 labels"),
        ({"test": np.zeros((10, 6)), "normalise": "none"}, "all values of the test set are 0"),
        ({"test_fraction": float("nan")}, "`test_fraction` must be from 0 to 1; got nan"),
        ({"validation_fraction": -0.1}, "`validation_fraction` must be from 0 to 1"),
        ({"validation_fraction": 0.8}, "leaves nothing to train on"),
        ({"seed": -1}, "`seed` must be at least 0"),
    ],
)
def test_arguments_that_do_not_fit(options, message):
    with pytest.raises(InputError, match=message):
        Dataset.from_arrays(X, **options)


def test_a_test_split_of_zeros_is_fine_where_zero_is_not_the_mean():
    assert np.all(np.asarray(Dataset.from_arrays(X + 5, test=np.zeros((10, 6))).test) == 0)


def test_npz_with_labels_and_parameters(tmp_path):
    np.savez(tmp_path / "a.npz", anything=X, labels=np.arange(200) % 2, parameters=X[:, 0])
    dataset = load(tmp_path / "a.npz")
    np.testing.assert_array_equal(dataset.parameters["test"][:, 0], rows_of(dataset)["test"])
    np.savez(tmp_path / "b.npz", train=X, test=X[:9], train_labels=["a"] * 200, test_labels=["b"] * 9)
    dataset = load(tmp_path / "b.npz")
    assert dataset.label_names == ("a", "b")
    assert dataset.labels["test"].tolist() == [1] * 9
    np.savez(tmp_path / "c.npz", train=X, test_labels=np.zeros(3))
    with pytest.raises(InputError, match='no array "test" that it belongs to'):
        load(tmp_path / "c.npz")
    np.savez(tmp_path / "d.npz", train=X, labels=np.zeros(200, int), train_labels=np.zeros(200, int))
    with pytest.raises(InputError, match="not both"):
        load(tmp_path / "d.npz")


def test_pickles_are_not_read_and_not_recommended(tmp_path):
    np.save(tmp_path / "o.npy", np.array([{}, {}], dtype=object), allow_pickle=True)
    (tmp_path / "t.npy").write_bytes(b"a,b\n1,2\n")
    for name, message in (("o.npy", "reading a pickle can run any code"), ("t.npy", "first bytes are of another kind")):
        with pytest.raises(InputError, match=message) as caught:
            load(tmp_path / name)
        assert "unsafe" not in str(caught.value)
        assert "allow_pickle" not in str(caught.value)


def table(lines, encoding="utf-8"):
    return ("\n".join(lines) + "\n").encode(encoding)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_tables(tmp_path, encoding, delimiter):
    lines = [f"{a}{delimiter}form {i % 2}{delimiter}{b}{delimiter}{c}" for i, (a, b, c) in enumerate(X[:, :3])]
    header = delimiter.join(["länge", "kind", "width", "time"])
    (tmp_path / "t.csv").write_bytes(table([header, *lines], encoding))
    dataset = load(tmp_path / "t.csv", label_column="kind", parameter_columns=("time",))
    assert dataset.sample_shape == (2,)
    assert dataset.label_names == ("form 0", "form 1")
    rows = np.concatenate([dataset.train, dataset.test])
    order = np.argsort(rows[:, 0])
    np.testing.assert_array_equal(rows[order], X[np.argsort(X[:, 0])][:, [0, 1]])
    parameters = np.concatenate([dataset.parameters["train"], dataset.parameters["test"]])
    np.testing.assert_array_equal(parameters[order, 0], X[np.argsort(X[:, 0]), 2])


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (b"", {}, "is empty"),
        (b"1,2\n3,4\n", {}, "must start with a line of column names"),
        (b"a,a\n3,4\n", {}, "more than one is called 'a'"),
        (b"a,b\n", {}, "no samples below it"),
        (b"a,b\n1,2\n3\n", {}, "row 2 below it has 1"),
        (b"a,b\n1,x\n", {}, "row 1 below the header, column 'b': must be a number; got 'x'"),
        (b"a,b\n1,\n", {}, "column 'b': must be a number"),
        (b"a,b\n1,2\n", {"label_column": "c"}, "`data.label_column` must name columns of"),
        (b"a,b\n1,2\n", {"parameter_columns": ("a", "b")}, "no columns left"),
        (b"a,b\n1,\xff\n", {}, "is not a text file in UTF-8"),
        (b"a,b\n1,2\x00\n", {}, "zero bytes"),
    ],
)
def test_tables_that_are_refused(tmp_path, content, options, message):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(InputError, match=message):
        load(tmp_path / "t.csv", **options)


def test_large_files_stay_on_disk_and_mean_the_same(tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", X.astype(">f8").reshape(200, 2, 3))
    small = load(tmp_path / "x.npy", layout="image")
    monkeypatch.setattr("fastrrae.data.array_files.MAPPED_BYTES", 0)
    monkeypatch.setattr("fastrrae.data.samples.BLOCK_BYTES", 700)
    large = load(tmp_path / "x.npy", layout="image")
    assert isinstance(large.train, SelectedSamples)
    assert large.sample_shape == (2, 3, 1)
    assert large.fingerprint == small.fingerprint
    np.testing.assert_allclose(large.normalisation.offset, small.normalisation.offset, rtol=1e-12)
    np.testing.assert_allclose(large.normalisation.scale, small.normalisation.scale, rtol=1e-12)
    again = pickle.loads(pickle.dumps(large.train))
    for samples in (large.train, again):
        np.testing.assert_array_equal(samples[np.array([5, 2])], np.asarray(small.train)[[5, 2]])
        np.testing.assert_array_equal(samples[3:7], np.asarray(small.train)[3:7])
    assert len(pickle.dumps(MappedSamples(tmp_path / "x.npy"))) < 1000


def test_a_memory_mapped_array_is_not_copied(tmp_path):
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    dataset = Dataset.from_arrays(mapped)
    assert isinstance(dataset.train, SelectedSamples)
    assert dataset.fingerprint == Dataset.from_arrays(X).fingerprint


def test_grain_datasets():
    source = grain.MapDataset.source(list(X.astype(np.float32))).map(lambda row: row.reshape(3, 2))
    dataset = Dataset.from_arrays(source)
    assert dataset.sample_shape == (3, 2)
    assert dataset.fingerprint == Dataset.from_arrays(X.astype(np.float32).reshape(200, 3, 2)).fingerprint
    assert isinstance(GrainSamples(source), Samples)
    with pytest.raises(InputError, match="elements are arrays; got dict"):
        Dataset.from_arrays(grain.MapDataset.source(list(X)).map(lambda row: {"x": row}))
    with pytest.raises(InputError, match="elements of one shape"):
        Dataset.from_arrays(grain.MapDataset.range(1, 30).map(lambda n: np.zeros(n)))


class Squares:
    """Samples of a user's own."""

    shape, dtype = (40, 3), np.dtype(np.float32)

    def __len__(self):
        return 40

    def __getitem__(self, index):
        return np.outer(np.arange(40.0)[index] ** 2, [1, 2, 3]).astype(np.float32)

    def __array__(self, dtype=None, copy=None):
        return self[:].astype(dtype or self.dtype)


def test_samples_of_a_class_of_ones_own():
    own = Dataset.from_arrays(Squares())
    assert own.fingerprint == Dataset.from_arrays(Squares()[:]).fingerprint
    np.testing.assert_array_equal(own.train, Dataset.from_arrays(Squares()[:]).train)


def test_fingerprints_tell_contents_apart():
    first = Dataset.from_arrays(X)
    assert len(first.fingerprint) == 64
    assert first.fingerprint == Dataset.from_arrays(X.copy()).fingerprint
    changed = X.copy()
    changed[17, 3] = np.nextafter(changed[17, 3], 9)
    others = [
        Dataset.from_arrays(changed),
        Dataset.from_arrays(X.astype(np.float32)),
        Dataset.from_arrays(X, np.zeros(200, int)),
        Dataset.from_arrays(X, np.ones(200, int)),
        Dataset.from_arrays(X, parameters=np.ones(200)),
        Dataset.from_arrays(X.reshape(200, 3, 2)),
        Dataset.from_arrays(X, seed=1),
    ]
    assert len({first.fingerprint, *(other.fingerprint for other in others)}) == 8
    for source in ("digits", "gaussians"):
        dataset = load_dataset(DataConfig(source))
        assert dataset.fingerprint == load_dataset(DataConfig(source)).fingerprint
        assert dataset.description


def test_fingerprints_of_large_sets_are_sampled(monkeypatch):
    monkeypatch.setattr("fastrrae.data.fingerprint.WHOLE_BYTES", 1000)
    monkeypatch.setattr("fastrrae.data.fingerprint.SAMPLED_BYTES", 800)
    first = Dataset.from_arrays(X).fingerprint
    assert first == Dataset.from_arrays(X.copy()).fingerprint
    assert first != Dataset.from_arrays(X + 1e-9).fingerprint
