"""Arrays by name and facts about them in one file that other programs read: .safetensors or .npz, never a pickle."""

import hashlib
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .atomic_files import replacing
from .errors import InputError, first_line
from .training.state_arrays import digest

FORMAT = "fastrrae-weights-1"
SUFFIXES = (".safetensors", ".npz")
_FACTS = "fastrrae"  # the entry of the metadata of a .safetensors file, or the array of a .npz file, that holds them
_UNREADABLE = (ValueError, OSError, EOFError, KeyError, NotImplementedError, zipfile.BadZipFile)


def write_weights(path: str | Path, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]) -> None:
    """Write `arrays`, and `facts` as JSON with a digest of everything; the file is there whole or not at all.

    Raises:
        InputError: the name ends in neither suffix, its folder does not exist, safetensors is not installed, or a .npz
            file is to hold numbers that NumPy has no type for.
    """
    path = Path(path)
    suffix = _suffix_of(path)
    if not path.parent.is_dir():
        raise InputError(f"`path` is in the folder {path.parent}, which does not exist")
    # safetensors writes the memory of an array as it lies, so that it must lie in C order.
    arrays = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    text = json.dumps({"format": FORMAT, "sha256": _digest(arrays, facts), "facts": facts}, allow_nan=False)
    if suffix == ".npz":
        _require_types_of_numpy(arrays)
        with replacing(path) as file:
            np.savez(file, allow_pickle=False, **{_FACTS: np.array(text)}, **arrays)
        return
    _require_safetensors()
    from safetensors.numpy import save

    content = save(arrays, metadata={_FACTS: text})
    with replacing(path) as file:
        file.write(content)


def read_weights(path: str | Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays and the facts that `write_weights` wrote.

    Raises:
        InputError: the file is missing, damaged, or not one of these; or safetensors is not installed.
    """
    path = Path(path)
    suffix = _suffix_of(path)
    if not path.is_file():
        raise InputError(f"`path` must be a file of weights; {path} is not a file")
    text, arrays = (_read_npz if suffix == ".npz" else _read_safetensors)(path)
    if text is None:
        raise InputError(f"{path} holds arrays, but no configuration: it was not written by `save_weights`")
    try:
        header = json.loads(text)
        if header["format"] != FORMAT:
            raise InputError(f"{path} has the format {header['format']!r}; this version reads {FORMAT!r}")
        facts, sha256 = dict(header["facts"]), header["sha256"]
    except InputError:
        raise
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(path, f"its facts cannot be read: {first_line(error)}") from None
    if _digest(arrays, facts) != sha256:
        raise _damaged(path, "its contents are not those that were written")
    return arrays, facts


def _read_npz(path: Path) -> tuple[str | None, dict[str, np.ndarray]]:
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except _UNREADABLE as error:
        raise _damaged(path, first_line(error)) from None
    except AttributeError:  # a single array, as a .npy file holds
        raise _damaged(path, "it is not an archive of arrays") from None
    text = arrays.pop(_FACTS, None)
    return None if text is None else str(text), arrays


def _read_safetensors(path: Path) -> tuple[str | None, dict[str, np.ndarray]]:
    _require_safetensors()
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as stored:
            arrays = {name: np.asarray(stored.get_tensor(name)) for name in stored.keys()}  # noqa: SIM118 (no mapping)
            text = (stored.metadata() or {}).get(_FACTS)
    except (SafetensorError, *_UNREADABLE) as error:
        raise _damaged(path, first_line(error)) from None
    return text, arrays


def _digest(arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]) -> str:
    """SHA-256 over names, types, shapes and bytes of the arrays, and over the facts."""
    text = json.dumps(facts, sort_keys=True)
    return hashlib.sha256(f"{digest(dict(arrays))}\n{text}".encode()).hexdigest()


def _suffix_of(path: Path) -> str:
    if path.suffix not in SUFFIXES:
        raise InputError(f"`path` must end in {' or '.join(SUFFIXES)}; got {path}")
    return path.suffix


def _require_types_of_numpy(arrays: Mapping[str, np.ndarray]) -> None:
    """Raise for bfloat16 and the like, which NumPy would write as bytes without a type."""
    for name, array in arrays.items():
        if not array.dtype.isbuiltin == 1:
            raise InputError(
                f"a .npz file cannot hold {name}, which is {array.dtype}: let `path` end in .safetensors instead"
            )


def _require_safetensors() -> None:
    try:
        import safetensors  # noqa: F401
    except ImportError:
        raise InputError(
            'a .safetensors file needs safetensors: install it with `pip install "fastrrae[export]"`, or let `path` '
            "end in .npz"
        ) from None


def _damaged(path: Path, reason: str) -> InputError:
    return InputError(f"{path} is damaged or not a {path.suffix} file ({reason}): save or download it again")
