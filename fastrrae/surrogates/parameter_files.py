"""Parameters to predict for, from a file: a table whose columns have the names of the parameters, or an array."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..data.csv_table import SUFFIXES, read_columns
from ..errors import InputError, first_line


def read_parameters(path: Path, names: Sequence[str]) -> np.ndarray:
    """Parameters (count, P) in the order of `names`, from a .csv or .tsv table or a .npy array.

    Raises:
        InputError: the file is missing or damaged, a column is missing, a column belongs to no parameter, or a value is
            not a finite number.
    """
    if not path.is_file():
        raise InputError(f"`parameters` must be a .csv or .npy file; {path} is not a file")
    if path.suffix.lower() in SUFFIXES:
        values = _from_table(path, names)
    elif path.suffix.lower() == ".npy":
        values = _from_array(path, names)
    else:
        raise InputError(f"`parameters` must be a .csv or .npy file; got {path}")
    bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(bad):
        raise InputError(f"{path}: parameters must be finite; row {bad[0] + 1} is {values[bad[0]].tolist()}")
    return values


def _from_table(path: Path, names: Sequence[str]) -> np.ndarray:
    columns = read_columns(path)
    missing = [name for name in names if name not in columns]
    unknown = [name for name in columns if name not in names]
    if missing or unknown:
        reasons = [f"there is no {', '.join(map(repr, missing))}"] if missing else []
        reasons += [f"the run has no parameter {', '.join(map(repr, unknown))}"] if unknown else []
        raise InputError(f"{path} must have the columns {', '.join(names)}, in any order: {'; '.join(reasons)}")
    return np.stack([columns[name] for name in names], axis=1)


def _from_array(path: Path, names: Sequence[str]) -> np.ndarray:
    try:
        values = np.load(path, allow_pickle=False)
    except Exception as error:  # NumPy's reader raises nearly anything on damaged bytes
        raise InputError(f"{path} is not a readable .npy file of numbers: {first_line(error)}") from None
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "iuf":
        raise InputError(f"{path} must hold one array of real numbers")
    if values.ndim != 2 or values.shape[1] != len(names) or not len(values):
        raise InputError(
            f"{path} must have shape (count, {len(names)}), with columns {', '.join(names)}; got {values.shape}"
        )
    return np.asarray(values, np.float64)
