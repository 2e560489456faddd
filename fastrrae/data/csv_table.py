"""A table of numbers in a text file: a header with the names of the columns, then one sample a line."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError
from .text_files import read_text

SUFFIXES = (".csv", ".tsv")
_DELIMITERS = ",;\t"


@dataclass(frozen=True)
class Table:
    """Columns of a text file."""

    features: np.ndarray  # (count, D) float64
    feature_names: tuple[str, ...]
    labels: np.ndarray | None  # (count,) strings or integers
    parameters: np.ndarray | None  # (count, P) float64


def read_table(path: Path, label_column: str | None = None, parameter_columns: Sequence[str] = ()) -> Table:
    """Read a comma-, semicolon- or tab-separated file with a header.

    Columns are features, but for `label_column` (any text; integers stay integers) and `parameter_columns` (numbers).

    Raises:
        InputError: there is no header, a named column does not exist, a value is not a number, or lines differ in
            their number of columns.
    """
    names, rows = _read(path)
    chosen = ([label_column] if label_column is not None else []) + list(parameter_columns)
    for name in chosen:
        if name not in names:
            option = "label_column" if name == label_column else "parameter_columns"
            raise InputError(f"`{option}` must name columns of {path}, which are {_listed(names)}; got {name!r}")
    features = [index for index, name in enumerate(names) if name not in chosen]
    if not features:
        raise InputError(f"{path} has no columns left for the samples' own values: {_listed(names)}")
    labels = None
    if label_column is not None:
        at = names.index(label_column)
        labels = _as_labels([row[at].strip() for row in rows])
    parameters = [names.index(name) for name in parameter_columns]
    return Table(
        _numbers(path, rows, features, names),
        tuple(names[index] for index in features),
        labels,
        _numbers(path, rows, parameters, names) if parameters else None,
    )


def read_columns(path: Path) -> dict[str, np.ndarray]:
    """All columns of a table of numbers by name, (count,) float64; of the same kind of file as `read_table`."""
    names, rows = _read(path)
    return dict(zip(names, _numbers(path, rows, range(len(names)), names).T, strict=True))


def column_names(path: Path) -> tuple[str, ...]:
    """The names in the header of a table."""
    return _header(path)[0]


def _read(path: Path) -> tuple[tuple[str, ...], list[list[str]]]:
    """The names of the columns, and the lines below them."""
    names, rest, delimiter = _header(path)
    rows = _rows(path, rest, delimiter)
    _require_columns(path, rows, len(names))
    return names, rows


def _header(path: Path) -> tuple[tuple[str, ...], str, str]:
    """The names of the columns, the text below them, and what separates values."""
    first, _, rest = read_text(path).lstrip("\r\n").partition("\n")
    delimiter = max(_DELIMITERS, key=first.count)
    names = tuple(name.strip() for row in _rows(path, first, delimiter) for name in row)
    _require_header(path, names)
    return names, rest, delimiter


def _require_header(path: Path, names: Sequence[str]) -> None:
    if not any(names):
        raise InputError(f"{path} is empty: it must start with a line of column names")
    if all(_is_number(name) for name in names):
        raise InputError(f"{path} must start with a line of column names; its first line is numbers: {_listed(names)}")
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise InputError(f"the columns of {path} must have names of their own; more than one is called {doubled[0]!r}")


def _rows(path: Path, text: str, delimiter: str) -> list[list[str]]:
    try:
        return [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row]
    except csv.Error as error:
        raise InputError(f"{path} is not a readable table: {error}") from None


def _require_columns(path: Path, rows: list[list[str]], columns: int) -> None:
    for number, row in enumerate(rows, start=1):
        if len(row) != columns:
            raise InputError(f"{path}: its header names {columns} columns, and row {number} below it has {len(row)}")
    if not rows:
        raise InputError(f"{path} has a header and no samples below it")


def _numbers(path: Path, rows: list[list[str]], columns: Sequence[int], names: Sequence[str]) -> np.ndarray:
    try:
        return np.array([[float(row[column]) for column in columns] for row in rows])
    except ValueError:
        number, column = next((n, c) for n, row in enumerate(rows, start=1) for c in columns if not _is_number(row[c]))
        raise InputError(
            f"{path}, row {number} below the header, column {names[column]!r}: must be a number; got "
            f"{rows[number - 1][column][:40]!r}. A column of classes is named by `label_column`"
        ) from None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _as_labels(texts: list[str]) -> np.ndarray:
    try:
        return np.array([int(text) for text in texts])
    except (ValueError, OverflowError):
        return np.array(texts)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:8])
    return shown if len(names) <= 8 else f"{shown} and {len(names) - 8} more"
