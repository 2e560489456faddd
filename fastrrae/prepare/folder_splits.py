"""What the names of folders say of images: which split they belong to, and which class."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import InputError

_SPLITS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}
ORDER = ("train", "validation", "test")
Folders = tuple[str, ...]


@dataclass(frozen=True)
class FolderSplits:
    """Images by split, and those outside the folders of the splits."""

    members: dict[str, list[str]]
    classes: dict[str, Folders]  # by image: the folders below those of the split
    outside: list[str]
    folders: dict[str, list[str]]  # names that the folders of each split have


def common_folders(folders: Mapping[str, Folders]) -> int:
    """How many outer folders all images share, up to one that is named like a split."""
    shared = 0
    while True:
        names = {levels[shared] if len(levels) > shared else None for levels in folders.values()}
        if len(names) != 1 or None in names or (names.pop() or "").lower() in _SPLITS:
            return shared
        shared += 1


def find_splits(folders: Mapping[str, Folders]) -> FolderSplits | None:
    """The splits that folders make, by the names train, test, val or validation in any letter case.

    They count where a folder for training and another stand side by side: at the top, or in a folder one level below.

    Args:
        folders: those of each image, from the outermost, without those that all images share.

    Raises:
        InputError: a folder is named like a test or validation split, and is not one by this rule: its images might be
            trained on.
    """
    parents = _parents_of_splits(folders)
    if not parents:
        _refuse_stray_tests(folders)
        return None
    members: dict[str, list[str]] = {split: [] for split in ORDER}
    names: dict[str, set[str]] = {split: set() for split in ORDER}
    classes, outside = {}, []
    for image, levels in folders.items():
        parent = next((parent for parent in parents if levels[: len(parent)] == parent), None)
        at = 0 if parent is None else len(parent)
        split = _split_of(levels, at)
        if parent is None or split is None:
            outside.append(image)
            continue
        members[split].append(image)
        names[split].add("/".join(levels[: at + 1]))
        classes[image] = (parent if len(parents) > 1 else ()) + levels[at + 1 :]
    found = [split for split in ORDER if members[split]]
    return FolderSplits(
        {split: members[split] for split in found}, classes, outside, {split: sorted(names[split]) for split in found}
    )


def _split_of(levels: Folders, at: int) -> str | None:
    return _SPLITS.get(levels[at].lower()) if len(levels) > at else None


def _parents_of_splits(folders: Mapping[str, Folders]) -> list[Folders]:
    """Folders in which one for training and another split stand side by side: the top, or some of those below it."""
    for depth in (0, 1):
        kinds: dict[Folders, set[str]] = {}
        for levels in folders.values():
            if (split := _split_of(levels, depth)) is not None:
                kinds.setdefault(levels[:depth], set()).add(split)
        parents = sorted(parent for parent, found in kinds.items() if "train" in found and len(found) > 1)
        if parents:
            return parents
    return []


def _refuse_stray_tests(folders: Mapping[str, Folders]) -> None:
    for levels in folders.values():
        for depth in range(len(levels)):
            if _split_of(levels, depth) in ("test", "validation"):
                raise InputError(
                    f"the folder {'/'.join(levels[: depth + 1])} is named like a test or validation split, and there "
                    f"is no folder named train next to it at the top or one level below: it might be trained on. "
                    f'Rename or move it, give the folder above both, or set `split` to "random" to draw from all images'
                )


@dataclass(frozen=True)
class Classes:
    """Labels by split, where known, and a sentence on where they come from."""

    labels: dict[str, np.ndarray]
    names: tuple[str, ...]
    sentence: str


def find_classes(members: Mapping[str, Sequence[str]], folders: Mapping[str, Folders]) -> Classes:
    """A class for each image, by the first of its `folders`; none where images lie in no folder or nearly alone."""

    def first_folders(images: Sequence[str]) -> list[str | None]:
        return [folders[image][0] if folders[image] else None for image in images]

    of_splits = {split: first_folders(images) for split, images in members.items()}
    train = of_splits["train"]
    outside = sum(name is None for name in train)
    if outside:
        why = f"{outside} of {len(train)} images to train on lie in no class folder"
        return Classes(
            {}, (), "no labels" + (f": {why}" if outside < len(train) else ", since there are no class folders")
        )
    known = {split: [name for name in names if name is not None] for split, names in of_splits.items()}
    known = {split: names for split, names in known.items() if len(names) == len(members[split])}
    names = sorted({name for split in known.values() for name in split})
    if len(names) < 2:
        return Classes({}, (), f"no labels: all images are in one folder, {names[0]}")
    if 2 * len(names) > len(train):
        return Classes({}, (), f"no labels: {len(names)} folders for {len(train)} images to train on are not classes")
    number = {name: index for index, name in enumerate(names)}
    labels = {split: np.array([number[name] for name in values], np.int64) for split, values in known.items()}
    shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    return Classes(labels, tuple(names), f"labels from {len(names)} class folders: {shown}")
