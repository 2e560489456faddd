"""Classifiers for features: they learn, repeat themselves, come back from their file, and are never unpickled."""

import dataclasses
import json

import numpy as np
import pytest

from fastrrae import InputError
from fastrrae.features import FeatureTraining, load_features, train_features
from fastrrae.features.default import default_features
from fastrrae.features.storage import save_classifier

OPTIONS = FeatureTraining(steps=120, batch_size=32)


@pytest.fixture(scope="module")
def classifier(stripes):
    return train_features(stripes, "stripes", OPTIONS)


def test_it_learns_and_says_how_well(classifier, stripes):
    assert classifier.facts["trained_on"] == "stripes"
    assert classifier.facts["test_accuracy"] > 0.95
    assert classifier.accuracy(stripes.test, stripes.labels["test"]) == pytest.approx(
        classifier.facts["test_accuracy"], abs=1e-5
    )
    features = classifier(stripes.test)
    assert features.shape == (100, classifier.dimensions)
    assert features.dtype == np.float32
    assert np.mean(classifier(stripes.train) ** 2) == pytest.approx(1, rel=1e-4)
    assert classifier(stripes.test[:0]).shape == (0, classifier.dimensions)


def test_the_same_seed_gives_the_same_classifier(classifier, stripes):
    again = train_features(stripes, "stripes", OPTIONS)
    assert again.describe() == classifier.describe()
    other = train_features(stripes, "stripes", dataclasses.replace(OPTIONS, seed=1))
    assert other.describe()["sha256"] != classifier.describe()["sha256"]


def test_widths_flips_and_distortions(classifier, stripes, tmp_path):
    options = dataclasses.replace(OPTIONS, widths=(8, 16), flip=True, distort=0.3)
    changed = train_features(stripes, "stripes", options)
    layers = changed.network.trunk.convolutions  # pyright: ignore[reportAttributeAccessIssue]
    assert [layer.kernel.shape[-1] for layer in layers] == [8, 16]
    assert changed.facts["flip"] is True
    assert changed.facts["distort"] == 0.3
    assert changed.facts["test_accuracy"] > 0.9
    save_classifier(tmp_path / "changed.npz", changed)
    np.testing.assert_array_equal(load_features(tmp_path / "changed.npz")(stripes.test), changed(stripes.test))
    # Each of the two changes what is learnt.
    for name, value in [("flip", True), ("distort", 0.3)]:
        other = train_features(stripes, "stripes", dataclasses.replace(OPTIONS, **{name: value}))
        assert other.describe()["sha256"] != classifier.describe()["sha256"]


def test_files_of_earlier_versions_have_the_widths_of_then(classifier, stripes, tmp_path):
    save_classifier(tmp_path / "now.npz", classifier)
    with np.load(tmp_path / "now.npz") as stored:
        arrays = dict(stored)
    header = json.loads(str(arrays["facts"]))
    del header["widths"]
    np.savez(tmp_path / "then.npz", **{**arrays, "facts": np.array(json.dumps(header))})
    np.testing.assert_array_equal(load_features(tmp_path / "then.npz")(stripes.test), classifier(stripes.test))


def test_vectors_have_classifiers_too(stripes):
    flat = dataclasses.replace(
        stripes, train=stripes.train.reshape(400, -1), tests={"test": np.asarray(stripes.test).reshape(100, -1)}
    )
    assert train_features(flat, "flat", OPTIONS)(np.asarray(flat.test)).shape == (100, 128)
    with pytest.raises(InputError, match="`flip` is for images"):
        train_features(flat, "flat", dataclasses.replace(OPTIONS, flip=True))


def test_it_comes_back_from_its_file(classifier, stripes, tmp_path):
    path = tmp_path / "stripes.npz"
    save_classifier(path, classifier)
    found = load_features(path)
    np.testing.assert_array_equal(found(stripes.test), classifier(stripes.test))
    assert found.describe() == classifier.describe()
    assert [path.name for path in tmp_path.iterdir()] == ["stripes.npz"]


def test_damaged_files_are_refused(classifier, stripes, tmp_path):
    path = tmp_path / "stripes.npz"
    save_classifier(path, classifier)
    with np.load(path) as stored:
        arrays = dict(stored)
    changed = {**arrays, "head/bias/value": arrays["head/bias/value"] + 1}
    np.savez(path, **changed)
    with pytest.raises(InputError, match="is damaged: its weights are not those that were written"):
        load_features(path)
    arrays.pop("head/bias/value")
    np.savez(path, **arrays)
    with pytest.raises(InputError, match="head/bias/value"):
        load_features(path)
    header = json.loads(str(arrays["facts"]))
    np.savez(path, **{**arrays, "facts": np.array(json.dumps({**header, "format": "other"}))})
    with pytest.raises(InputError, match="has the format 'other'"):
        load_features(path)
    path.write_bytes(b"PK but no archive")
    with pytest.raises(InputError, match="is not a readable"):
        load_features(path)
    np.savez(path, facts=np.array([{}], dtype=object))
    with pytest.raises(InputError, match="is not a readable"):
        load_features(path)
    np.savez(path, weights=np.ones(3))
    with pytest.raises(InputError, match="holds neither a classifier"):
        load_features(path)
    with pytest.raises(InputError, match=r"absent\.npz is not"):
        load_features(tmp_path / "absent.npz")


def test_labels_are_needed(stripes):
    with pytest.raises(InputError, match="no labels of its split 'train'"):
        train_features(dataclasses.replace(stripes, labels={}), "stripes")
    alike = {name: 0 * labels for name, labels in stripes.labels.items()}
    with pytest.raises(InputError, match="at least two classes; got 1"):
        train_features(dataclasses.replace(stripes, labels=alike), "stripes")


def test_the_default_is_trained_once_and_made_again_if_damaged(stripes, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("fastrrae.features.default.FeatureTraining", lambda: OPTIONS)
    said = []
    first = default_features(stripes, "stripes", said.append)
    assert first is not None
    assert len(said) == 2
    second = default_features(stripes, "stripes", said.append)
    assert second is not None
    assert len(said) == 2
    assert second.describe() == first.describe()
    (path,) = (tmp_path / "fastrrae" / "features").iterdir()
    path.write_bytes(b"")
    third = default_features(stripes, "stripes", said.append)
    assert third is not None
    assert "made again" in said[2]
    assert third.describe() == first.describe()
    assert default_features(dataclasses.replace(stripes, labels={}), "stripes") is None


def test_a_cache_that_cannot_be_used_is_reported_and_costs_a_training(stripes, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setattr("fastrrae.features.default.FeatureTraining", lambda: FeatureTraining(steps=2))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    said = []
    assert default_features(stripes, "stripes", said.append) is not None
    assert len(said) == 2
    assert "kept in memory alone" in said[1]

    def full(path, classifier):
        raise OSError(28, "No space left on device")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("fastrrae.features.default.save_classifier", full)
    said.clear()
    assert default_features(stripes, "a/../b", said.append) is not None
    assert len(said) == 2
    assert "No space left on device" in said[1]


def test_several_may_keep_the_same_classifier(classifier, tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    path = tmp_path / "stripes.npz"

    def save_and_load(_):
        save_classifier(path, classifier)
        return load_features(path).describe()["sha256"]

    with ThreadPoolExecutor(4) as pool:
        digests = set(pool.map(save_and_load, range(12)))
    assert digests == {classifier.describe()["sha256"]}
    assert list(tmp_path.iterdir()) == [path]


def test_samples_of_another_shape_are_refused(classifier):
    with pytest.raises(InputError, match=r"\(8, 8, 3\).* this classifier .* \(12, 12, 1\)"):
        classifier(np.zeros((2, 8, 8, 3)))
    with pytest.raises(InputError, match=r"\(144,\)"):
        classifier.accuracy(np.zeros((2, 144)), np.zeros(2))


def test_a_header_that_is_cut_is_damage(classifier, tmp_path):
    path = tmp_path / "stripes.npz"
    save_classifier(path, classifier)
    with np.load(path) as stored:
        arrays = dict(stored)
    header = json.loads(str(arrays["facts"]))
    for facts in ("{", "[]", json.dumps({"format": header["format"]})):
        np.savez(path, **{**arrays, "facts": np.array(facts)})
        with pytest.raises(InputError, match="is damaged: its facts cannot be read"):
            load_features(path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "`steps` must be at least 1; got 0"),
        ({"batch_size": 0}, "`batch_size` must be at least 1; got 0"),
        ({"widths": ()}, "`widths` must be one or more positive numbers of channels; got \\(\\)"),
        ({"distort": -0.1}, "`distort` must be a finite number that is not negative; got -0.1"),
        ({"learning_rate": float("nan")}, "`learning_rate` must be a positive, finite number; got nan"),
        ({"seed": -1}, "`seed` must not be negative; got -1"),
    ],
)
def test_options_out_of_their_range_are_named(stripes, options, message):
    with pytest.raises(InputError, match=message):
        train_features(stripes, "stripes", FeatureTraining(**options))
