"""What is known of a published data set before its samples are read."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..data.text_files import printable
from ..errors import InputError

_SHOWN = 3  # names of files that are not used, in a message
_KEPT = 1000  # of them in the manifest


class UnreadableImage(InputError):
    """One image cannot be used; the message names it."""


@dataclass(frozen=True)
class Selection:
    """What was found in a source, what of it is used, and why the rest is not."""

    used: tuple[str, ...] = ()  # sentences
    unused: Mapping[str, Sequence[str]] = field(default_factory=dict)  # names of files, by reason

    def lines(self) -> list[str]:
        """To be printed."""
        lines = list(self.used)
        for reason, names in self.unused.items():
            shown = ", ".join(map(printable, names[:_SHOWN])) + (", ..." if len(names) > _SHOWN else "")
            lines.append(f"not used, {reason}: {len(names)} ({shown})")
        return lines

    def as_json(self) -> dict[str, Any]:
        """For the manifest; of very many names the first thousand."""
        unused = {reason: {"count": len(names), "names": list(names[:_KEPT])} for reason, names in self.unused.items()}
        return {"used": list(self.used), "unused": unused}


@dataclass(frozen=True)
class Collection:
    """All samples of a data set by name, and how to read one.

    `read(split, index)` gives an array of bytes of shape `sample_shape`, may be called from several threads, and raises
    UnreadableImage. `transformation` says in JSON what determines the values, besides the source's own files.
    """

    source: str
    sample_shape: tuple[int, int, int]
    transformation: Mapping[str, Any]
    splits: Mapping[str, Sequence[str]]  # names of samples, by split; "train" and another at least
    read: Callable[[str, int], np.ndarray]
    labels: Mapping[str, np.ndarray] = field(default_factory=dict)
    label_names: Sequence[str] = ()
    attributes: Mapping[str, np.ndarray] = field(default_factory=dict)  # by split, (count, len(attribute_names)) bool
    attribute_names: Sequence[str] = ()
    selection: Selection = Selection()
    has_names: bool = True  # whether names of samples are those of files, worth keeping

    @classmethod
    def of_arrays(cls, source: str, images: Mapping[str, np.ndarray], labels: Mapping[str, np.ndarray]) -> "Collection":
        """Images (count, height, width, channels) of bytes that are in memory, by split, as they are."""
        names = {split: [f"{split} image {index}" for index in range(len(array))] for split, array in images.items()}
        height, width, channels = images["train"].shape[1:]
        return cls(
            source,
            (height, width, channels),
            {},
            names,
            lambda split, index: images[split][index],
            {split: array.astype(np.int64) for split, array in labels.items()},
            has_names=False,
        )
