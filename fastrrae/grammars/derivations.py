"""How many derivations of each length a grammar has, and random ones of them."""

from bisect import bisect_right
from collections.abc import Iterator
from functools import cache
from itertools import accumulate

import numpy as np

from ..errors import InputError
from .grammar import Grammar


class Derivations:
    """The derivations of a grammar, counted and numbered by how many rules they have.

    Counts are exact: the derivations from a sequence of nonterminals with `n` rules are those whose first rule is any
    of the first nonterminal, and so on.

    Example:
        >>> Derivations(EXPRESSIONS).count(4)
        60
    """

    def __init__(self, grammar: Grammar):
        self.grammar = grammar
        self._by_left: dict[str, list[int]] = {name: [] for name in grammar.nonterminals}
        for index, rule in enumerate(grammar.rules):
            self._by_left[rule.left].append(index)
        self._count, self._options = cache(self._count_from), cache(self._options_of)

    def count(self, rules: int) -> int:
        """How many derivations have exactly `length` rules."""
        return self._count((self.grammar.start,), rules)

    def derivation(self, rules: int, number: int) -> list[int]:
        """The derivation of that number, from 0, among those of `length` rules: indices of rules."""
        if not 0 <= number < self.count(rules):
            raise InputError(
                f"`number` must be below {self.count(rules)}, the derivations of {rules} rules; got {number}"
            )
        indices: list[int] = []
        symbols = (self.grammar.start,)
        while symbols:
            options, bounds = self._options(symbols, rules - len(indices))
            place = bisect_right(bounds, number)
            number -= bounds[place - 1] if place else 0
            index, symbols = options[place]
            indices.append(index)
        return indices

    def sample(self, count: int, most_rules: int, seed: int) -> list[list[int]]:
        """Distinct random derivations of at most `most_rules` rules, in random order.

        As many of each number of rules as can be, and of each number all alike: short ones, of which there are few,
        all belong to it; uniformly drawn, nearly all would be of the greatest length.

        Raises:
            InputError: there are fewer.
        """
        counts = {rules: self.count(rules) for rules in range(1, most_rules + 1)}
        if not 1 <= count <= sum(counts.values()):
            raise InputError(
                f"`count` must be at least 1 and at most {sum(counts.values())}, the derivations of at most "
                f"{most_rules} rules; got {count}"
            )
        rng = np.random.default_rng(seed)
        chosen = [
            self.derivation(rules, number)
            for rules, share in _even_shares(count, counts).items()
            for number in _distinct(rng, share, counts[rules])
        ]
        return [chosen[place] for place in rng.permutation(len(chosen))]

    def _count_from(self, symbols: tuple[str, ...], rules: int) -> int:
        """How many derivations of `length` rules there are from a sequence of nonterminals."""
        if not symbols:
            return int(rules == 0)
        if sum(self.grammar.shortest[name] for name in symbols) > rules:
            return 0
        return sum(self._count(following, rules - 1) for _, following in self._steps(symbols))

    def _options_of(self, symbols: tuple[str, ...], rules: int) -> tuple[list[tuple[int, tuple[str, ...]]], list[int]]:
        """The rules that may come first, each with what it leaves, and the cumulated counts of their derivations."""
        options = list(self._steps(symbols))
        return options, list(accumulate(self._count(following, rules - 1) for _, following in options))

    def _steps(self, symbols: tuple[str, ...]) -> Iterator[tuple[int, tuple[str, ...]]]:
        for index in self._by_left[symbols[0]]:
            yield index, (*self.grammar.rules[index].nonterminals, *symbols[1:])


def _even_shares(count: int, available: dict[int, int]) -> dict[int, int]:
    """How many to take of each kind: all of kinds with few, and the same number of the others."""
    shares: dict[int, int] = {}
    for left, (kind, most) in enumerate(sorted(available.items(), key=lambda item: item[1])):
        share = min(most, -(-(count - sum(shares.values())) // (len(available) - left)))
        shares[kind] = share
    return shares


def _distinct(rng: np.random.Generator, count: int, below: int) -> list[int]:
    """Distinct random integers, sorted; without a list of all of them."""
    if below <= 4 * count:
        return sorted(rng.permutation(below)[:count].tolist())
    found: set[int] = set()
    while len(found) < count:
        found.add(int(rng.integers(min(below, 2**63 - 1))))
    return sorted(found)
