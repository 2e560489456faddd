"""A user's own strings in a text file, one per line, and their grammar in another."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..config import DataConfig
from ..errors import InputError
from ..grammars import Grammar, NotInGrammar, StringCodec
from ..grammars.codec import Tokens, derivation_of, one_hot, pad_rules
from ..grammars.parser import require_parser
from .dataset import VALIDATION, Dataset
from .normalisation import Normalisation
from .samples import OneHotSequences
from .splits import select, split_at_random
from .text_files import read_text

Line = tuple[int, str]
"""A string with the number of its line."""

_ARROW = "->"  # of the rules of a grammar, which a path has not


def load_strings(config: DataConfig) -> Dataset:
    """Strings from the lines of a text file; empty lines are left out.

    Raises:
        InputError: a file is missing, or a line is not a string of the grammar; the message names the line and the
            position in it.
    """
    grammar = grammar_in(config)
    if config.data is None or grammar is None:
        missing = "data" if config.data is None else "grammar"
        raise InputError(
            f"`{missing}` must be given: `data`, a text file with one string per line, and `grammar`, a text file with "
            f"the rules of their grammar"
        )
    path = Path(config.data)
    lines = read_lines(path)
    split = config.test_fraction, config.validation_fraction, config.split_seed
    of = f"{path}, line", f"strings of {path.name}"
    return dataset_of_lines(lines, grammar, config.tokens, config.longest, split, of)


def read_lines(path: Path, name: str = "data") -> list[Line]:
    """The strings of a text file, called `name` in messages, with the numbers of their lines; no empty ones."""
    if not path.is_file():
        raise InputError(f"`{name}` must be a text file with one string per line; {path} is not a file")
    lines = [(number, line.strip()) for number, line in enumerate(read_text(path).splitlines(), start=1)]
    return [(number, line) for number, line in lines if line]


def dataset_of_strings(
    strings: Sequence[str],
    grammar: Grammar,
    *,
    tokens: Tokens = "rules",
    longest: int | None = None,
    test_fraction: float = 0.2,
    validation_fraction: float = 0.0,
    seed: int = 0,
) -> Dataset:
    """A data set of strings of a grammar, as one-hot sequences (length, choices).

    Args:
        strings: each of the grammar.
        grammar: a `fastrrae.grammars.Grammar`.
        tokens: what a string is a sequence of, rules or characters; see `StringCodec`.
        longest: the most rules, or characters, that a string may have; by default those of the longest one.
        test_fraction, validation_fraction, seed: as in `Dataset.from_arrays`.

    Raises:
        InputError: a string is not of the grammar (the message has its place and the position in it), or too long.

    Example:
        >>> grammar = Grammar.from_text("S -> S '+' T | T\\nT -> 'x' | '1'")
        >>> dataset_of_strings(["x", "1", "x+1", "1+x", "x+x", "1+1"], grammar, test_fraction=0.4).sample_shape
        (4, 5)
    """
    lines = list(enumerate(strings, start=1))
    split = test_fraction, validation_fraction, seed
    return dataset_of_lines(lines, grammar, tokens, longest, split, ("string", "strings in memory"))


def dataset_of_lines(
    lines: Sequence[Line],
    grammar: Grammar,
    tokens: Tokens,
    longest: int | None,
    split: tuple[float, float, int],
    of: tuple[str, str],
    *,
    most: int | None = None,
) -> Dataset:
    """A data set of numbered strings; see `dataset_of_strings`.

    Args:
        lines: the strings.
        grammar: of all of them.
        tokens: rules or characters.
        longest: the length of the sequences; by default that of the longest one, which may be `most`.
        split: the fractions for test and validation, and the seed.
        of: what a number counts in messages, and what the data are.
        most: the most rules or characters where `longest` says nothing; by default any number.

    Raises:
        InputError: as `dataset_of_strings`.
    """
    derivations = _derivations(lines, grammar, tokens, most if longest is None else longest, of[0])
    if not derivations:
        raise InputError(f"there are no {of[1]}: give at least four")
    end = tokens == "characters"
    length = max(map(len, derivations)) if longest is None else longest + end
    codec = StringCodec(grammar, length, tokens)
    test_fraction, validation_fraction, seed = split
    parts = split_at_random(len(derivations), test_fraction, validation_fraction, seed=seed, unit="string")
    if min(len(parts.train), len(parts.test)) < 2:
        raise InputError(
            f"there must be at least 2 strings to train on and 2 to test on; got {len(parts.train)} and "
            f"{len(parts.test)}, of {len(derivations)} in all. Give more, or another `test_fraction`"
        )
    splits = {"test": parts.test} | ({VALIDATION: parts.validation} if len(parts.validation) else {})
    return dataset_of_derivations(derivations, codec, parts.train, splits, description=of[1])


def dataset_of_derivations(
    derivations: Sequence[Sequence[int]],
    codec: StringCodec,
    train: np.ndarray,
    tests: dict[str, np.ndarray],
    *,
    description: str,
) -> Dataset:
    """A data set of derivations, by the indices of its splits."""
    samples = OneHotSequences(pad_rules(derivations, codec), codec.sample_shape[1])
    return Dataset(
        select(samples, train),
        {name: select(samples, indices) for name, indices in tests.items()},
        Normalisation(0.0, 1.0),
        codec=codec,
        description=description,
    )


def encode_lines(codec: StringCodec, lines: Sequence[Line], of: str) -> np.ndarray:
    """One-hot sequences of the numbered lines of a text file called `of`.

    Raises:
        InputError: a line is not a string of the grammar, or too long; the message names it.
    """
    end = codec.tokens == "characters"
    derivations = _derivations(lines, codec.grammar, codec.tokens, codec.length - end, f"{of}, line")
    return one_hot(pad_rules(derivations, codec), codec.sample_shape[1])


def with_grammar_text(config: DataConfig) -> DataConfig:
    """The configuration with the rules of its grammar, where it has the path of a file of them."""
    if config.grammar is None or _ARROW in config.grammar:
        return config
    path = Path(config.grammar)
    if not path.is_file():
        raise InputError(f"`grammar` must be a text file with rules such as S -> S '+' T | T; {path} is not a file")
    return replace(config, grammar=Grammar.from_text(read_text(path), of=str(path)).text)


def grammar_in(config: DataConfig) -> Grammar | None:
    """The grammar of a data set's strings; None where it has none."""
    return None if config.grammar is None else _grammar(with_grammar_text(config).grammar or "")


def codec_in(config: DataConfig, sample_shape: tuple[int, ...]) -> StringCodec | None:
    """How the strings of a data set are encoded; None where it has none."""
    grammar = grammar_in(config)
    return None if grammar is None else StringCodec(grammar, sample_shape[0], config.tokens)


def derived_by(config: DataConfig) -> Grammar | None:
    """The grammar whose rules the steps of a sequence are, see `StringCodec.derived_by`."""
    grammar = grammar_in(config)
    return None if grammar is None else StringCodec(grammar, 2**15, config.tokens).derived_by


@lru_cache(maxsize=8)
def _grammar(text: str) -> Grammar:
    return Grammar.from_text(text)


def _derivations(
    lines: Sequence[Line], grammar: Grammar, tokens: Tokens, longest: int | None, unit: str
) -> list[list[int]]:
    require_parser()
    found = []
    for number, string in lines:
        try:
            rules = derivation_of(grammar, string, tokens)
        except NotInGrammar as error:
            raise InputError(f"{unit} {number}: {error}") from None
        if longest is not None and len(rules) > longest + (tokens == "characters"):
            steps = len(rules) - (tokens == "characters")
            raise InputError(
                f"{unit} {number}: {string!r} has {steps} {tokens}, more than `longest` = {longest}: raise it, or "
                f"leave the string out"
            )
        found.append(rules)
    return found
