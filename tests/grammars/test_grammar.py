"""Grammars as values: what text they are read from, and what is refused."""

import pytest

from fastrrae import InputError
from fastrrae.grammars import EXPRESSIONS, Derivations, Grammar, NotInGrammar, parse
from fastrrae.grammars.grammar import character_grammar

SUMS = Grammar.from_text("S -> S '+' T | T\n# terms\nT -> 'x' | '1'\nT -> \"'\" | ")


def test_text_is_read_and_written_the_same():
    assert [str(rule) for rule in SUMS.rules] == ["S -> S '+' T", "S -> T", "T -> 'x'", "T -> '1'", 'T -> "\'"', "T ->"]
    assert Grammar.from_text(SUMS.text) == SUMS
    assert (SUMS.start, SUMS.nonterminals, SUMS.shortest) == ("S", ("S", "T"), {"S": 2, "T": 1})
    assert SUMS.characters == ("'", "+", "1", "x")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "at least one rule"),
        ("S -> 'x\n", "line 1 of the grammar, position 6"),
        ("S -> 'x'\nT = 'y'", "line 2 of the grammar, position 3"),
        ("'x' -> S", "must be a rule"),
        ("S -> 'x' -> 'y'", "must be a rule"),
        ("S -> T", "T in the rule S -> T has no rules"),
        ("S -> 'x' | 'x'", "stands twice"),
        ("S -> 'x'\nT -> 'y'", "never reached"),
        ("S -> 'x' | T\nT -> 'a' T", "T derives no string"),
        ("S -> S | 'x'", "derives itself alone"),
        ("S -> T | 'x'\nT -> S E\nE -> | 'e'", "derives itself alone"),
    ],
)
def test_what_is_no_grammar_is_refused(text, message):
    with pytest.raises(InputError, match=message):
        Grammar.from_text(text)


def test_a_string_is_parsed_to_its_leftmost_derivation():
    rules = parse(EXPRESSIONS, "1/3+x+sin(x*x)")
    assert len(rules) == 12
    assert EXPRESSIONS.derive(rules) == "1/3+x+sin(x*x)"


@pytest.mark.parametrize(("string", "position"), [("x+y", 3), ("x+", 3), ("", 1), ("x)", 2), ("x x", 2)])
def test_a_string_outside_is_named_with_its_position(string, position):
    with pytest.raises(NotInGrammar) as raised:
        parse(EXPRESSIONS, string)
    assert raised.value.position == position


def test_terminals_that_begin_alike_and_ambiguous_grammars_are_parsed():
    grammar = Grammar.from_text("S -> 'a' S | 'aa' S | 'b' | ")
    for string in ("", "b", "aaa", "aaaab"):
        assert grammar.derive(parse(grammar, string)) == string


def test_what_is_no_derivation_is_refused():
    for indices in ([], [0], [3, 7, 7], [7]):
        with pytest.raises(ValueError, match="indices"):
            EXPRESSIONS.derive(indices)


def test_derivations_are_counted_as_by_listing_them_all():
    def all_of(symbols, rules):
        if not symbols:
            return [[]] if rules == 0 else []
        if rules == 0:
            return []
        found = []
        for index, rule in enumerate(EXPRESSIONS.rules):
            if rule.left == symbols[0]:
                found += [[index, *rest] for rest in all_of((*rule.nonterminals, *symbols[1:]), rules - 1)]
        return found

    derivations = Derivations(EXPRESSIONS)
    for rules in range(1, 7):
        listed = all_of(("S",), rules)
        assert [derivations.derivation(rules, number) for number in range(derivations.count(rules))] == listed


def test_random_derivations_are_distinct_and_as_many_of_each_length_as_can_be():
    found = Derivations(EXPRESSIONS).sample(500, 9, seed=3)
    lengths = [len(rules) for rules in found]
    assert len({tuple(rules) for rules in found}) == 500
    assert [lengths.count(n) for n in (2, 4, 6, 8)] == [4, 60, 218, 218]
    assert found == Derivations(EXPRESSIONS).sample(500, 9, seed=3)
    with pytest.raises(InputError, match="at most 64"):
        Derivations(EXPRESSIONS).sample(65, 5, seed=0)


def test_a_grammar_of_characters_has_a_rule_for_each():
    assert parse(character_grammar(("a", "b")), "ba") == [1, 0, 2]
