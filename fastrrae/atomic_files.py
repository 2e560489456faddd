"""Files that are there whole or not at all, whoever writes them at the same time."""

import json
import math
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np


@contextmanager
def replacing(path: str | Path) -> Iterator[IO[bytes]]:
    """A file to write, which takes the place of `path` at the end of the block, or is removed where the block fails.

    Each writer has a separate file: of two at the same time the last one wins, and a reader sees either.
    """
    path = Path(path)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
    partial = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
        partial.chmod(0o666 & ~_umask())  # mkstemp lets nobody else read
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def write_text(path: str | Path, text: str) -> None:
    """Write `text` as UTF-8, whatever the locale."""
    with replacing(path) as file:
        file.write(text.encode("utf-8"))


def write_json(path: str | Path, values: Any) -> None:
    """Write `values` as JSON; JSON has no NaN and no infinity, so they become null."""
    write_text(path, json.dumps(finite(values), indent=2, allow_nan=False) + "\n")


def write_array(path: str | Path, values: np.ndarray) -> None:
    """Write a .npy file."""
    with replacing(path) as file:
        np.save(file, values, allow_pickle=False)


def finite(values: Any) -> Any:
    """`values` with None in place of numbers that are not finite, and Python's numbers in place of NumPy's."""
    if isinstance(values, dict):
        return {key: finite(value) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [finite(value) for value in values]
    if isinstance(values, np.generic):
        values = values.item()
    return None if isinstance(values, float) and not math.isfinite(values) else values


def _umask() -> int:
    """The process's mask of permissions, which can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
