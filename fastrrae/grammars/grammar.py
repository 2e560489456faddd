"""A context-free grammar as a value, read from text."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from ..errors import InputError

_TOKEN = re.compile(
    r"""\s*(?:(?P<arrow>->)|(?P<bar>\|)|'(?P<single>[^']+)'|"(?P<double>[^"]+)"|(?P<name>[^\W\d]\w*))"""
)


class Symbol(NamedTuple):
    """A terminal, which stands for its own characters, or a nonterminal."""

    name: str
    is_terminal: bool

    def __str__(self) -> str:
        if not self.is_terminal:
            return self.name
        return f'"{self.name}"' if "'" in self.name else f"'{self.name}'"


class Rule(NamedTuple):
    """A nonterminal may be replaced by these symbols; by nothing, if there are none."""

    left: str
    right: tuple[Symbol, ...]

    def __str__(self) -> str:
        return f"{self.left} -> {' '.join(map(str, self.right))}".rstrip()

    @property
    def nonterminals(self) -> tuple[str, ...]:
        """The nonterminals on the right, in order."""
        return tuple(symbol.name for symbol in self.right if not symbol.is_terminal)


@dataclass(frozen=True)
class Grammar:
    """A context-free grammar; its first rule is one of the start symbol.

    A string is derived from the start symbol by applying a rule to the leftmost nonterminal until there is none.

    Attributes:
        rules: in order; the index of a rule is its place here.

    Raises:
        InputError: a nonterminal has no rules, derives no string or is never reached, a rule stands twice, or a
            nonterminal derives itself alone, so that strings have derivations without end.

    Example:
        >>> grammar = Grammar.from_text("S -> S '+' T | T\\nT -> 'x' | '1'")
        >>> len(grammar.rules), grammar.start
        (4, 'S')
    """

    rules: tuple[Rule, ...]

    def __post_init__(self) -> None:
        if not self.rules:
            raise InputError("a grammar must have at least one rule, as in S -> 'x'; got none")
        _require_different(self)
        _require_rules_for_all(self)
        _require_strings_of_all(self)
        _require_no_cycle(self)

    @classmethod
    def from_text(cls, text: str, of: str = "the grammar") -> "Grammar":
        """Read rules, one nonterminal a line: `S -> S '+' T | T`.

        Terminals are quoted, names of nonterminals are not; alternatives are separated by `|`, and an empty one
        derives the empty string. The first nonterminal is the start symbol. Lines that start with # are comments.

        Args:
            text: the rules.
            of: what messages call it, as a file.

        Raises:
            InputError: a line is not a rule (the message names it), or the rules are no usable grammar.
        """
        rules: list[Rule] = []
        for number, line in enumerate(text.splitlines(), start=1):
            if line.strip() and not line.lstrip().startswith("#"):
                rules += _rules_of_line(line, f"line {number} of {of}")
        try:
            return cls(tuple(rules))
        except InputError as error:
            raise InputError(f"{of}: {error}") from None

    @property
    def start(self) -> str:
        """The start symbol."""
        return self.rules[0].left

    @cached_property
    def nonterminals(self) -> tuple[str, ...]:
        """In the order of their first rules."""
        return tuple(dict.fromkeys(rule.left for rule in self.rules))

    @cached_property
    def text(self) -> str:
        """The rules, one per line, as `from_text` reads them."""
        return "\n".join(map(str, self.rules)) + "\n"

    @cached_property
    def characters(self) -> tuple[str, ...]:
        """All characters of its terminals, sorted."""
        return tuple(
            sorted({c for rule in self.rules for symbol in rule.right if symbol.is_terminal for c in symbol[0]})
        )

    @cached_property
    def shortest(self) -> dict[str, int]:
        """For each nonterminal the least number of rules that derive a string from it; those that derive none lack."""
        found: dict[str, int] = {}
        for _ in self.nonterminals:  # a shortest derivation is no deeper than there are nonterminals
            for rule in self.rules:
                if all(name in found for name in rule.nonterminals):
                    needed = 1 + sum(found[name] for name in rule.nonterminals)
                    found[rule.left] = min(needed, found.get(rule.left, needed))
        return found

    def derive(self, indices: list[int]) -> str:
        """The string of a leftmost derivation, a list of indices of rules.

        Raises:
            ValueError: a rule does not belong to the leftmost nonterminal, or nonterminals are left.
        """
        derived: list[str] = []
        stack = [Symbol(self.start, False)]
        remaining = iter(indices)
        while stack:
            symbol = stack.pop()
            if symbol.is_terminal:
                derived.append(symbol.name)
                continue
            index = next(remaining, None)
            if index is None or self.rules[index].left != symbol.name:
                raise ValueError(f"`indices` are no derivation: a rule of {symbol.name} is missing after {derived}")
            stack.extend(reversed(self.rules[index].right))
        if next(remaining, None) is not None:
            raise ValueError("`indices` go on after the derivation has ended")
        return "".join(derived)


def character_grammar(characters: tuple[str, ...]) -> Grammar:
    """The grammar of all strings over some characters, by a rule for each character and one for the end."""
    rest = Symbol("string", False)
    rules = [Rule("string", (Symbol(character, True), rest)) for character in characters]
    return Grammar((*rules, Rule("string", ())))


def _rules_of_line(line: str, place: str) -> list[Rule]:
    position, kinds, values = 0, [], []
    while line[position:].strip():
        match = _TOKEN.match(line, position)
        if match is None:
            position = len(line) - len(line[position:].lstrip())
            raise InputError(
                f"{place}, position {position + 1}: expected a name, a quoted terminal, -> or |; got "
                f"{line[position:].strip()[:20]!r}"
            )
        kinds.append(str(match.lastgroup))
        values.append(match[kinds[-1]])
        position = match.end()
    if kinds[:2] != ["name", "arrow"] or "arrow" in kinds[2:]:
        raise InputError(f"{place} must be a rule such as S -> S '+' T | T; got {line.strip()!r}")
    alternatives: list[list[Symbol]] = [[]]
    for kind, value in zip(kinds[2:], values[2:], strict=True):
        if kind == "bar":
            alternatives.append([])
        else:
            alternatives[-1].append(Symbol(value, kind != "name"))
    return [Rule(values[0], tuple(symbols)) for symbols in alternatives]


def _require_different(grammar: Grammar) -> None:
    seen: set[Rule] = set()
    for rule in grammar.rules:
        if rule in seen:
            raise InputError(f"the rule {rule} stands twice: leave one out")
        seen.add(rule)


def _require_rules_for_all(grammar: Grammar) -> None:
    """Every nonterminal has rules, and is reached from the start symbol."""
    for rule in grammar.rules:
        for name in rule.nonterminals:
            if name not in grammar.nonterminals:
                raise InputError(f"{name} in the rule {rule} has no rules of its own: add one, or quote it")
    reached, waiting = set(), [grammar.start]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += [other for rule in grammar.rules if rule.left == name for other in rule.nonterminals]
    for name in grammar.nonterminals:
        if name not in reached:
            raise InputError(f"{name} is never reached from {grammar.start}, the nonterminal of the first rule")


def _require_strings_of_all(grammar: Grammar) -> None:
    for name in grammar.nonterminals:
        if name not in grammar.shortest:
            raise InputError(f"{name} derives no string: each of its rules needs itself again. Add one that ends")


def _require_no_cycle(grammar: Grammar) -> None:
    """No nonterminal derives itself alone: S -> S, or S -> T and T -> S, or S -> S E where E may be empty."""
    empty: set[str] = set()
    for _ in grammar.nonterminals:
        empty |= {
            rule.left
            for rule in grammar.rules
            if all(not symbol.is_terminal and symbol.name in empty for symbol in rule.right)
        }
    alone: dict[str, set[str]] = {name: set() for name in grammar.nonterminals}
    for rule in grammar.rules:
        for place, symbol in enumerate(rule.right):
            others = rule.right[:place] + rule.right[place + 1 :]
            if not symbol.is_terminal and all(not s.is_terminal and s.name in empty for s in others):
                alone[rule.left].add(symbol.name)
    for _ in grammar.nonterminals:
        for names in alone.values():
            names |= {other for name in tuple(names) for other in alone[name]}
    for name, names in alone.items():
        if name in names:
            raise InputError(f"{name} derives itself alone, so that its strings have derivations without end")
