"""A user's own samples in a file: .npy (one array), .npz (with labels and so on, by name), .csv or .tsv (a table)."""

import zipfile
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..config import DataConfig
from ..errors import InputError, first_line
from .arrays import to_samples
from .csv_table import SUFFIXES, column_names, read_table
from .dataset import Dataset
from .samples import MappedSamples, Samples

MAPPED_BYTES = 64 * 2**20  # a .npy file from this size on is memory-mapped
_LAYOUTS: dict[int, Literal["vector", "signal", "image"]] = {1: "vector", 2: "signal", 3: "image"}  # by axes
_SIDES = ("labels", "train_labels", "test_labels", "parameters", "train_parameters", "test_parameters")
_SIDES = (*_SIDES, "parameter_names")
_PICKLED = (
    "it holds Python objects, which are stored as pickles, and reading a pickle can run any code. Save numbers "
    "instead, as `np.save(file, array.astype(float))` does"
)


def load_array(config: DataConfig) -> Dataset:
    """Samples along the first axis of a real array, or in the lines of a table.

    A .npz file may hold "train" and "test", or one array under any name, and with them "labels" ("train_labels",
    "test_labels") and "parameters" ("train_parameters", "test_parameters", and their "parameter_names"). Samples that
    come without a test set are split at random, with `config.test_fraction` held out.

    Raises:
        InputError: the file is missing, damaged, or does not hold what it should.
    """
    if config.data is None:
        raise InputError(
            "`data` must be a .npy, .npz or .csv file with samples along its first axis, for a recipe that reads arrays"
        )
    path = Path(config.data)
    if not path.is_file():
        raise InputError(f"`data` must be a .npy, .npz or .csv file; {path} is not a file")
    arguments = _table(path, config) if path.suffix.lower() in SUFFIXES else _arrays(path)
    try:
        return Dataset.from_arrays(
            **arguments,
            test_fraction=config.test_fraction,
            validation_fraction=config.validation_fraction,
            normalise=config.normalise,
            seed=config.split_seed,
            layout=config.layout,
            description=f"array file {path.name}",
        )
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def read_samples(
    path: Path, sample_shape: tuple[int, ...], config: DataConfig | None = None, *, name: str = "data"
) -> Samples:
    """All samples of a file in their order, without a split: what a trained model is applied to.

    Args:
        path: a .npy, .npz or .csv file, called `name` in messages.
        sample_shape: what one sample must be; a missing channel axis is added.
        config: columns of a table that it names as labels or parameters are left out, where the table has them.

    Raises:
        InputError: the file is missing, damaged, holds several arrays, or samples of another shape.
    """
    if not path.is_file():
        raise InputError(f"`{name}` must be a .npy, .npz or .csv file; {path} is not a file")
    x = _features(path, config or DataConfig()) if path.suffix.lower() in SUFFIXES else _one_array(path)
    layout = _LAYOUTS[len(sample_shape)]
    shape = tuple(x.shape[1:])
    if shape != sample_shape and (*shape, 1) != sample_shape:
        raise InputError(f"`{name}` must have rows of the shape {sample_shape}; those of {path} have {shape}")
    return to_samples(x, layout, name)


def _features(path: Path, config: DataConfig) -> np.ndarray:
    """The columns of a table that are neither labels nor parameters: those of the table that `config` is of."""
    sides = {config.label_column, *config.parameter_columns}
    known = column_names(path)
    trained_on = Path(config.data or "")
    if trained_on.suffix.lower() in SUFFIXES and trained_on.is_file():
        expected, found = ([name for name in names if name not in sides] for names in (column_names(trained_on), known))
        if expected != found:
            raise InputError(
                f"`data` must have the columns of {trained_on}, in their order: {', '.join(expected)}; those of {path} "
                f"are {', '.join(found)}"
            )
    parameters = [column for column in config.parameter_columns if column in known]
    return read_table(path, config.label_column if config.label_column in known else None, parameters).features


def _one_array(path: Path) -> MappedSamples | np.ndarray:
    arrays = _arrays(path)
    if arrays.get("test") is not None:
        raise InputError(f'{path} holds "train" and "test": save the rows that are wanted as one array')
    return arrays["x"]


def _table(path: Path, config: DataConfig) -> dict[str, Any]:
    table = read_table(path, config.label_column, config.parameter_columns)
    return {
        "x": table.features,
        "labels": table.labels,
        "parameters": table.parameters,
        "parameter_names": config.parameter_columns,
    }


def _arrays(path: Path) -> dict[str, Any]:
    """Arguments of `Dataset.from_arrays`."""
    arrays = _read(path)
    if isinstance(arrays, MappedSamples | np.ndarray):
        return {"x": arrays}
    sides = {name: arrays.pop(name) for name in _SIDES if name in arrays}
    if set(arrays) not in ({"train"}, {"train", "test"}) and len(arrays) != 1:
        raise InputError(
            f'{path} must hold one array, or two named "train" and "test", and with them only {", ".join(_SIDES)}; '
            f"it holds {sorted(arrays)}"
        )
    test = arrays.pop("test") if len(arrays) == 2 else None
    if test is None and (unused := [name for name in sides if name.startswith("test_")]):
        raise InputError(f'{path} holds {unused[0]!r} and no array "test" that it belongs to')
    return {
        "x": next(iter(arrays.values())),
        "test": test,
        "labels": _one_of(sides, "labels", path),
        "parameters": _one_of(sides, "parameters", path),
        "test_labels": sides.get("test_labels"),
        "test_parameters": sides.get("test_parameters"),
        "parameter_names": tuple(map(str, np.atleast_1d(sides.get("parameter_names", [])))),
    }


def _one_of(sides: dict[str, np.ndarray], name: str, path: Path) -> np.ndarray | None:
    if {name, f"train_{name}"} <= set(sides):
        raise InputError(f"{path} must hold {name!r} or 'train_{name}', not both")
    return sides.get(name, sides.get(f"train_{name}"))


def _read(path: Path) -> MappedSamples | np.ndarray | dict[str, np.ndarray]:
    with path.open("rb") as file:
        start = file.read(6)
    if start != b"\x93NUMPY" and start[:2] != b"PK":
        raise InputError(f"{path} is not a readable .npy or .npz file of numbers: its first bytes are of another kind")
    try:
        if start[:2] != b"PK":
            large = path.stat().st_size >= MAPPED_BYTES
            return MappedSamples(path) if large else _whole(np.load(path, allow_pickle=False))
        with np.load(path, allow_pickle=False) as archive:
            return {name: _whole(archive[name]) for name in archive.files}
    except InputError:
        raise
    except Exception as error:  # NumPy's readers raise nearly anything on damaged bytes
        reason = _PICKLED if "allow_pickle" in str(error) else f"it is damaged or cut short ({_named(error)})"
        raise InputError(f"{path} is not a readable .npy or .npz file of numbers: {reason}") from None


def _whole(values: Any) -> np.ndarray:
    if not isinstance(values, np.ndarray):
        raise zipfile.BadZipFile("a member is not an array")
    return values


def _named(error: Exception) -> str:
    return first_line(error) if str(error).strip() else type(error).__name__
