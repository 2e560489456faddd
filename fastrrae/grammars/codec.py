"""Strings as arrays that a network takes, and back."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from ..errors import InputError
from .grammar import Grammar, character_grammar
from .parser import NotInGrammar, is_derived, parse

Tokens = Literal["rules", "characters"]


@dataclass(frozen=True)
class StringCodec:
    """Strings of a grammar as one-hot sequences (length, choices), and back.

    Attributes:
        grammar: the grammar of the strings.
        length: steps of a sequence.
        tokens: rules: a sequence is the leftmost derivation of a string, so that each sequence that a model can
            return is that of a string of the grammar. characters: it is the string itself, which a model may get wrong.

    Example:
        >>> codec = StringCodec(Grammar.from_text("S -> S '+' T | T\\nT -> 'x' | '1'"), length=6)
        >>> codec.encode(["x+1"]).shape, codec.decode(codec.encode(["x+1"]))
        ((1, 6, 5), ['x+1'])
    """

    grammar: Grammar
    length: int
    tokens: Tokens = "rules"

    def __post_init__(self) -> None:
        if self.length < self.derived_by.shortest[self.derived_by.start]:
            raise InputError(
                f"`length` must be at least {self.derived_by.shortest[self.derived_by.start]}, for the shortest string "
                f"of the grammar; got {self.length}"
            )

    @cached_property
    def derived_by(self) -> Grammar:
        """The grammar whose rules the steps of a sequence are: of the strings, or of any characters."""
        return self.grammar if self.tokens == "rules" else character_grammar(self.grammar.characters)

    @property
    def sample_shape(self) -> tuple[int, int]:
        """Of a sequence: steps, and rules with one more entry for the steps after the end."""
        return self.length, len(self.derived_by.rules) + 1

    def indices(self, strings: Sequence[str]) -> np.ndarray:
        """Rules by index, (count, length) int16.

        Raises:
            InputError: a string is not of the grammar, or longer than `length`; the message has its place, from 1.
        """
        return pad_rules([self._rules(string, place) for place, string in enumerate(strings, start=1)], self)

    def encode(self, strings: Sequence[str]) -> np.ndarray:
        """One-hot sequences (count, *sample_shape), uint8; see `indices` for errors."""
        return one_hot(self.indices(strings), self.sample_shape[1])

    def decode(self, samples: np.ndarray) -> list[str]:
        """The strings of sequences (count, *sample_shape).

        Raises:
            InputError: the shape is another one, or a sequence is no derivation.
        """
        samples = np.asarray(samples)
        if samples.shape[1:] != self.sample_shape:
            raise InputError(f"`samples` must have the shape (count, *{self.sample_shape}); got {samples.shape}")
        end = self.sample_shape[1] - 1
        try:
            return [self.derived_by.derive([i for i in row if i != end]) for row in samples.argmax(axis=-1).tolist()]
        except ValueError as error:
            raise InputError(f"`samples` must be derivations, one-hot: {error}") from None

    def is_valid(self, string: str) -> bool:
        """Whether a string is one of the grammar."""
        return is_derived(self.grammar, string)

    def _rules(self, string: str, place: int) -> list[int]:
        try:
            rules = derivation_of(self.grammar, string, self.tokens)
        except NotInGrammar as error:
            raise InputError(f"string {place}: {error}") from None
        if len(rules) > self.length:
            raise InputError(
                f"string {place}: {string!r} has {len(rules)} {steps_of(self.tokens)}; there may be {self.length}"
            )
        return rules


def derivation_of(grammar: Grammar, string: str, tokens: Tokens) -> list[int]:
    """The steps of a string, as indices of rules; those of characters are checked by the grammar as well.

    Raises:
        NotInGrammar: the grammar does not derive the string.
    """
    rules = parse(grammar, string)
    return rules if tokens == "rules" else character_steps(grammar, string)


def character_steps(grammar: Grammar, string: str) -> list[int]:
    """The rules of `character_grammar` that derive a string of characters of `grammar`."""
    places = {character: place for place, character in enumerate(grammar.characters)}
    return [*(places[character] for character in string), len(places)]


def steps_of(tokens: Tokens) -> str:
    """What the steps of a sequence are, in words."""
    return "rules" if tokens == "rules" else "characters with its end"


def pad_rules(derivations: Sequence[Sequence[int]], codec: StringCodec) -> np.ndarray:
    """Derivations as one array (count, length) int16, the entry of no rule after their ends."""
    padded = np.full((len(derivations), codec.length), codec.sample_shape[1] - 1, np.int16)
    for row, rules in zip(padded, derivations, strict=True):
        row[: len(rules)] = rules
    return padded


def one_hot(indices: np.ndarray, choices: int) -> np.ndarray:
    """(..., choices) uint8."""
    return (indices[..., None] == np.arange(choices, dtype=indices.dtype)).astype(np.uint8)
