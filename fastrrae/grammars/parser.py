"""Strings to derivations, by the parser library lark."""

import json
from functools import lru_cache
from typing import Any

from ..errors import InputError
from .grammar import Grammar


class NotInGrammar(ValueError):
    """A string that a grammar does not derive; `position` counts characters from 1."""

    def __init__(self, string: str, position: int):
        self.string, self.position = string, position
        super().__init__(
            f"{string!r} is not a string of the grammar: it ends too early"
            if position > len(string)
            else f"{string!r} is not a string of the grammar, from position {position} ({string[position - 1]!r}) on"
        )


def parse(grammar: Grammar, string: str) -> list[int]:
    """The leftmost derivation of a string, a list of indices of rules; of several, always the same one.

    Raises:
        NotInGrammar: there is none.
        InputError: lark is not installed.

    Example:
        >>> parse(Grammar.from_text("S -> S '+' T | T\\nT -> 'x' | '1'"), "x+1")
        [0, 1, 2, 3]
    """
    lark = require_parser()
    if fast := _lalr(grammar):
        try:
            return _in_preorder(fast.parse(string))
        except lark.UnexpectedInput:
            pass  # perhaps it took a terminal that is too long; Earley's algorithm decides
    try:
        tree = _earley(grammar).parse(string)
    except lark.UnexpectedEOF:
        raise NotInGrammar(string, len(string) + 1) from None
    except lark.UnexpectedCharacters as error:
        raise NotInGrammar(string, error.pos_in_stream + 1) from None
    return _in_preorder(tree)


def is_derived(grammar: Grammar, string: str) -> bool:
    """Whether a grammar derives a string."""
    try:
        parse(grammar, string)
    except NotInGrammar:
        return False
    return True


def require_parser() -> Any:
    """The module `lark`.

    Raises:
        InputError: it is not installed.
    """
    try:
        import lark
    except ImportError:
        raise InputError("grammars need lark; install `fastrrae[grammars]`") from None
    return lark


@lru_cache(maxsize=8)
def _lalr(grammar: Grammar) -> Any:
    """The parser of one token of lookahead, ten times as fast, where a grammar has one; else None."""
    lark = require_parser()
    try:
        return lark.Lark(_in_lark_syntax(grammar), start="n0", parser="lalr")
    except lark.exceptions.GrammarError:
        return None


@lru_cache(maxsize=8)
def _earley(grammar: Grammar) -> Any:
    """Earley's algorithm takes any context-free grammar; the dynamic lexer looks for the terminals that may come."""
    return require_parser().Lark(_in_lark_syntax(grammar), start="n0", parser="earley", lexer="dynamic")


def _in_lark_syntax(grammar: Grammar) -> str:
    """Nonterminals n0, n1, ..., each rule with its index as the alias r0, r1, ..."""
    numbers = {name: f"n{number}" for number, name in enumerate(grammar.nonterminals)}
    alternatives: dict[str, list[str]] = {name: [] for name in grammar.nonterminals}
    for index, rule in enumerate(grammar.rules):
        symbols = [json.dumps(s.name, ensure_ascii=False) if s.is_terminal else numbers[s.name] for s in rule.right]
        alternatives[rule.left].append(f"{' '.join(symbols)} -> r{index}")
    return "\n".join(f"{numbers[name]}: {' | '.join(lines)}" for name, lines in alternatives.items())


def _in_preorder(tree: Any) -> list[int]:
    """The rules of a tree, each before those of its children from left to right; not by recursion, trees are deep."""
    indices, waiting = [], [tree]
    while waiting:
        node = waiting.pop()
        if hasattr(node, "data"):
            indices.append(int(node.data[1:]))
            waiting.extend(reversed(node.children))
    return indices
