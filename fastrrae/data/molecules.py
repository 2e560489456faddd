"""Molecules from a user's file of SMILES strings, such as ZINC250k."""

import csv
import io
from pathlib import Path

from ..config import DataConfig
from ..errors import InputError
from ..grammars import MOLECULES
from ..grammars.parser import require_parser
from .csv_table import SUFFIXES
from .dataset import Dataset
from .strings import Line, dataset_of_lines, grammar_in
from .text_files import read_text

COLUMN = "smiles"  # in any case
MOST_RULES, MOST_CHARACTERS = 277, 120  # of the grammar VAE and of the character VAE


def load_molecules(config: DataConfig) -> Dataset:
    """Molecules of a file of SMILES strings, as sequences of rules or of characters.

    The file is a .csv or .tsv table with a column `smiles`, as that of ZINC250k, or text with a string at the start of
    each line, as .smi files have it: what follows after a space is its name, and a first line that starts with the
    word smiles is a header. Empty lines are left out. A string may have at most 277 rules, or 120 characters, where
    `longest` says nothing else.

    Raises:
        InputError: the file is missing or has no such column, or a string is not of the grammar; the message names
            its line and the position in it.
    """
    require_parser()
    if grammar_in(config) not in (None, MOLECULES):
        raise InputError("`grammar` is not of the recipe molecules, which has its own: train the recipe strings")
    if config.data is None:
        raise InputError(
            f"`data` must be given: a .csv table with a column {COLUMN}, or a .smi or .txt file with a SMILES string "
            f"at the start of each line"
        )
    path = Path(config.data)
    return dataset_of_lines(
        read_smiles(path),
        MOLECULES,
        config.tokens,
        config.longest,
        (config.test_fraction, config.validation_fraction, config.split_seed),
        (f"{path}, line", f"molecules of {path.name}"),
        most=MOST_RULES if config.tokens == "rules" else MOST_CHARACTERS,
    )


def read_smiles(path: Path) -> list[Line]:
    """The SMILES strings of a file, each with the number of its line.

    Raises:
        InputError: it is no file, or a table without a column `smiles`.
    """
    if not path.is_file():
        raise InputError(f"`data` must be a file of SMILES strings; {path} is not a file")
    found = _of_table(path) if path.suffix.lower() in SUFFIXES else _of_text(path)
    return [(number, smiles) for number, smiles in found if smiles]


def _of_text(path: Path) -> list[Line]:
    """The first words of the lines, without that of a header."""
    lines = [(number, *line.split()[:1]) for number, line in enumerate(read_text(path).splitlines(), start=1)]
    words = [(line[0], line[1]) for line in lines if len(line) == 2]
    return words[1:] if words and words[0][1].lower() == COLUMN else words


def _of_table(path: Path) -> list[Line]:
    """The column of a table; values in quotes may have line breaks in them."""
    text = io.StringIO(read_text(path), newline="")
    rows = csv.reader(text, delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
    found: list[Line] = []
    try:
        header = [name.strip().lower() for name in next(rows, [])]
        if COLUMN not in header:
            raise InputError(f"{path} must have a column {COLUMN}, named in its first line; its columns are {header}")
        column, number = header.index(COLUMN), rows.line_num + 1
        for row in rows:
            if row and len(row) <= column:
                raise InputError(f"{path}, line {number}: there is no value in the column {COLUMN}")
            found += [(number, row[column].strip())] if row else []
            number = rows.line_num + 1
    except csv.Error as error:
        raise InputError(f"{path}, line {rows.line_num}: this is no readable table: {error}") from None
    return found
