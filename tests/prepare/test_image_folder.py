"""Folders of images as people have them: in the right split, with their classes, and nothing left out in silence."""

import pytest

from fastrrae import DataConfig, InputError, load_dataset
from fastrrae.cli import run_command
from fastrrae.data.manifest import read_manifest


@pytest.mark.parametrize(
    ("folders", "found"),
    [
        ({"train": 6, "test": 3}, {"train": 6, "test": 3}),
        ({"Train": 6, "TEST": 3}, {"train": 6, "test": 3}),
        ({"train": 6, "test": 3, "val": 2}, {"train": 6, "validation": 2, "test": 3}),
        ({"training": 6, "Validation": 2}, {"train": 6, "validation": 2}),
        ({"top/train": 6, "top/test": 3}, {"train": 6, "test": 3}),
        ({"a/b/c/train": 6, "a/b/c/test": 3}, {"train": 6, "test": 3}),
        ({"train": 6, "test": 3, ".": 1, "extra": 2}, {"train": 6, "test": 3}),
        ({"top/train": 6, "top/test": 3, ".": 1}, {"train": 6, "test": 3}),
        ({"cats/train": 6, "cats/test": 3, "dogs/train": 4, "dogs/test": 1}, {"train": 10, "test": 4}),
        ({"train/a": 6, "test/a": 3, "train/b": 4}, {"train": 10, "test": 3}),
        ({"cats": 6, "dogs": 6}, {"train": 9, "test": 3}),
        ({"train": 8}, {"train": 6, "test": 2}),
        ({"car": 4, "train": 4}, {"train": 6, "test": 2}),
    ],
)
def test_splits_by_folders(tmp_path, folders, found, put, many, listed, counts):
    for folder, count in folders.items():
        put(tmp_path, *many(folder, count))
    collection = listed(tmp_path)
    assert counts(collection) == found
    if any("test" in folder.lower() for folder in folders):
        assert all("test" in name.lower() for name in collection.splits["test"])
        assert not any("test" in name.lower() for name in collection.splits["train"])
    outside = sum(folders.values()) - sum(found.values())
    unused = collection.selection.unused
    assert len(unused.get("beside the folders of the splits", ())) == outside


@pytest.mark.parametrize(
    "folders", [["test", "cats"], ["a/b/test", "a/c", "d"], ["val", "cats"], ["a/b/train", "a/b/test", "d"]]
)
def test_a_test_folder_that_would_be_trained_on_is_refused(tmp_path, folders, put, many, listed, counts):
    for folder in folders:
        put(tmp_path, *many(folder, 4))
    with pytest.raises(InputError, match="is named like a test or validation split"):
        listed(tmp_path)
    assert sum(counts(listed(tmp_path, split="random")).values()) == 4 * len(folders)


def test_a_random_split_for_validation_too(tmp_path, put, many, listed, counts):
    put(tmp_path, *many(".", 20))
    with_validation = listed(tmp_path, validation_fraction=0.25)
    assert counts(with_validation) == {"train": 10, "validation": 5, "test": 5}
    assert with_validation.splits["test"] == listed(tmp_path).splits["test"]


def test_class_folders_become_labels(tmp_path, capsys, put, many):
    source = tmp_path / "in"
    put(source, *many("train/cat", 5), *many("train/dog/puppies", 3), *many("test/dog", 2), *many("test/cat", 2))
    assert run_command(["prepare", "images", str(source), str(tmp_path / "out"), "--size", "4"]) == 0
    assert "labels from 2 class folders: cat, dog" in capsys.readouterr().out
    dataset = load_dataset(DataConfig("records", str(tmp_path / "out")))
    assert dataset.label_names == ("cat", "dog")
    assert dataset.labels["train"].tolist() == [0] * 5 + [1] * 3
    assert dataset.labels["test"].tolist() == [0, 0, 1, 1]
    assert dataset.sample_names["test"][0] == "test/cat/0.png"


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ([f"{n}.png" for n in range(8)], "no labels, since there are no class folders"),
        ([*(f"cat/{n}.png" for n in range(8)), "stray.png"], "images to train on lie in no class folder"),
        ([f"day {n}/{m}.png" for n in range(6) for m in "a"], "are not classes"),
    ],
)
def test_folders_that_are_no_classes(tmp_path, names, sentence, put, listed):
    put(tmp_path, *names)
    collection = listed(tmp_path)
    assert not collection.labels
    assert sentence in collection.selection.used[-1]


def test_what_is_not_used_is_printed_and_kept(tmp_path, capsys, put, many):
    source = tmp_path / "in"
    put(source, *many("train", 6), *many("test", 3), "preview.png", "._0.png", ".cache/0.png")
    (source / "notes.txt").write_text("hello")
    assert run_command(["prepare", "images", str(source), str(tmp_path / "out"), "--size", "4"]) == 0
    printed = capsys.readouterr().out
    selection = read_manifest(tmp_path / "out")["selection"]
    assert {reason: entry["names"] for reason, entry in selection["unused"].items()} == {
        "hidden": [".cache"],
        "left by macOS": ["._0.png"],
        "not images by their ending": ["notes.txt"],
        "beside the folders of the splits": ["preview.png"],
    }
    for reason in selection["unused"]:
        assert f"not used, {reason}: 1 (" in printed
    assert "split by folders: train (6 to train on), test (3 to test on)" in printed


def test_linked_folders_are_followed_once(tmp_path, put, many, listed, counts):
    source = tmp_path / "in"
    put(source, *many("cats", 5))
    put(tmp_path / "elsewhere", *many("dogs", 5))
    (source / "dogs").symlink_to(tmp_path / "elsewhere" / "dogs")
    (source / "dogs again").symlink_to(tmp_path / "elsewhere" / "dogs")
    (source / "loop").symlink_to(source)
    (source / "cats" / "up").symlink_to(source / "cats")
    (source / "lost.png").symlink_to(tmp_path / "nowhere.png")
    (source / "itself").symlink_to(source / "itself")
    (source / "twin.png").symlink_to(source / "cats" / "0.png")
    collection = listed(source)
    assert sum(counts(collection).values()) == 10
    assert {reason: sorted(names) for reason, names in collection.selection.unused.items()} == {
        "links to folders that are read by another path": ["cats/up/", "dogs again/", "loop/"],
        "links to nothing": ["itself", "lost.png"],
        "links to files that are read by another path": ["twin.png"],
    }
