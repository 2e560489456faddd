"""Masks: whatever the grammar and the logits are, what is derived is a string of the grammar; and the loss knows it."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastrrae import InputError
from fastrrae.grammars import EXPRESSIONS, Grammar, StringCodec, parse
from fastrrae.grammars.grammar import Rule, Symbol
from fastrrae.grammars.rule_masks import RuleTable, allowed_along, derive_batch, derive_by_table, rule_table
from fastrrae.objectives.rule_cross_entropy import rule_cross_entropy

NAMES, LETTERS = ("A", "B", "C"), ("a", "b", "ab")
SYMBOLS = st.one_of(
    st.sampled_from(NAMES).map(lambda name: Symbol(name, False)),
    st.sampled_from(LETTERS).map(lambda letter: Symbol(letter, True)),
)
RULES = st.lists(
    st.builds(Rule, st.sampled_from(NAMES), st.lists(SYMBOLS, max_size=3).map(tuple)),
    min_size=1,
    max_size=8,
    unique=True,
)

derive = jax.jit(derive_by_table)
derive_rules = jax.jit(derive_batch, static_argnums=0)


@st.composite
def grammars(draw):
    """Random rules with one that ends for each nonterminal, without those that make no grammar."""
    rules = [*draw(RULES), *(Rule(name, (Symbol(letter, True),)) for name, letter in zip(NAMES, LETTERS, strict=True))]
    try:
        return Grammar(tuple(dict.fromkeys(rules)))
    except InputError:
        reachable = Rule("A", tuple(Symbol(name, False) for name in ("B", "C")))
        ends = [rule for rule in rules if rule.right and all(symbol.is_terminal for symbol in rule.right)]
        return Grammar(tuple(dict.fromkeys([reachable, *ends])))


LENGTH, MOST_RULES = 9, 12  # of all grammars, so that one program serves them


def padded_table(grammar):
    """The arrays of a grammar, filled up with rules that are never allowed; no rule stays the last entry."""
    table, missing = rule_table(grammar), MOST_RULES - len(grammar.rules)
    left, pushed, count, growth = (np.insert(a, [-1] * missing, -2, axis=0) for a in table[:4])
    pushed = np.pad(pushed, ((0, 0), (0, 3 - pushed.shape[1])), constant_values=-1)
    return RuleTable(left, pushed, np.maximum(count, 0), growth, np.int32(table.needed))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(grammar=grammars(), seed=st.integers(0, 10**6), scale=st.sampled_from([0.0, 1.0, 1e12]))
def test_whatever_is_derived_parses(grammar, seed, scale):
    keys = jax.random.split(jax.random.key(seed), 9)
    logits = scale * jax.random.normal(keys[0], (8, LENGTH, MOST_RULES + 1))
    table = padded_table(grammar)
    for rules in (derive(table, logits), derive(table, logits, keys[1:])):
        for row in np.asarray(rules).tolist():
            steps = [rule for rule in row if rule < MOST_RULES]
            assert row == steps + [MOST_RULES] * (LENGTH - len(steps))
            parse(grammar, grammar.derive(steps))  # raises where the grammar does not derive it


def test_the_mask_of_a_derivation_is_that_of_its_stack():
    codec = StringCodec(EXPRESSIONS, 9)
    keys = jax.random.split(jax.random.key(0), 33)
    logits = jax.random.normal(keys[0], (32, *codec.sample_shape))
    rules = np.asarray(derive_rules(EXPRESSIONS, logits, keys[1:]))
    allowed = np.asarray(
        jax.jit(allowed_along, static_argnums=0)(EXPRESSIONS, jax.nn.one_hot(rules, codec.sample_shape[1]))
    )
    end = len(EXPRESSIONS.rules)
    for row, of_row in zip(rules.tolist(), allowed, strict=True):
        stack = [EXPRESSIONS.start]
        for step, rule in enumerate(row):
            remaining = codec.length - step - 1
            expected = {
                index
                for index, candidate in enumerate(EXPRESSIONS.rules)
                if stack
                and candidate.left == stack[-1]
                and sum(EXPRESSIONS.shortest[n] for n in (*stack[:-1], *candidate.nonterminals)) <= remaining
            }
            assert set(np.flatnonzero(of_row[step])) == (expected or {end})
            if rule < end:
                stack = [*stack[:-1], *reversed(EXPRESSIONS.rules[rule].nonterminals)]


def test_all_derivations_that_fit_have_probability_one_together():
    grammar = Grammar.from_text("S -> 'a' S | T T | 'b'\nT -> 'c' | S 'd'")
    length = 4
    choices = len(grammar.rules) + 1
    logits = jax.random.normal(jax.random.key(0), (1, length, choices))
    loss = jax.jit(rule_cross_entropy(grammar))
    total = 0.0
    for rules in itertools.product(range(choices), repeat=length):
        steps = [rule for rule in rules if rule < choices - 1]
        try:
            grammar.derive(steps)
        except ValueError:
            continue
        if list(rules) != steps + [choices - 1] * (length - len(steps)):
            continue
        total += float(jnp.exp(-loss(jax.nn.one_hot(jnp.array([rules]), choices), logits)))
    np.testing.assert_allclose(total, 1, rtol=1e-5)


def test_draws_have_the_probabilities_that_the_loss_says():
    grammar = Grammar.from_text("S -> 'a' S | 'b' | 'c'")
    codec = StringCodec(grammar, 3)
    logits = jax.random.normal(jax.random.key(1), (1, *codec.sample_shape))
    count = 4000
    drawn = derive_rules(grammar, jnp.repeat(logits, count, axis=0), jax.random.split(jax.random.key(2), count))
    strings = codec.decode(np.asarray(jax.nn.one_hot(drawn, codec.sample_shape[1])))
    loss = rule_cross_entropy(grammar)
    for string in set(strings):
        expected = float(jnp.exp(-loss(jnp.asarray(codec.encode([string]), jnp.float32), logits)))
        assert abs(strings.count(string) / count - expected) < 0.03


def test_a_perfect_decoder_gives_what_was_encoded():
    codec = StringCodec(EXPRESSIONS, 15)
    strings = ["1/3+x+sin(x*x)", "x", "exp(sin(x))*2", "(1+2)*(3+x)"]
    x = codec.encode(strings)
    rules = derive_rules(EXPRESSIONS, 10.0 * jnp.asarray(x, jnp.float32))
    assert codec.decode(np.asarray(jax.nn.one_hot(rules, codec.sample_shape[1]))) == strings
    assert float(rule_cross_entropy(EXPRESSIONS)(jnp.asarray(x, jnp.float32), 100.0 * jnp.asarray(x))) < 1e-6


def test_the_gradient_of_the_loss_is_that_of_finite_differences(float64):
    codec = StringCodec(EXPRESSIONS, 6)
    x = jnp.asarray(codec.encode(["x+1", "sin(2)"]), jnp.float64)
    logits = jax.random.normal(jax.random.key(0), x.shape, jnp.float64)
    loss = jax.jit(rule_cross_entropy(EXPRESSIONS))
    direction = jax.random.normal(jax.random.key(1), x.shape, jnp.float64)
    numeric = (loss(x, logits + 1e-6 * direction) - loss(x, logits - 1e-6 * direction)) / 2e-6
    np.testing.assert_allclose(jnp.vdot(jax.grad(loss, argnums=1)(x, logits), direction), numeric, rtol=1e-6)


def test_characters_are_sequences_that_may_be_no_string_of_the_grammar():
    codec = StringCodec(EXPRESSIONS, 8, tokens="characters")
    assert codec.decode(codec.encode(["sin(x)", "x"])) == ["sin(x)", "x"]
    rules = derive_rules(codec.derived_by, jax.random.normal(jax.random.key(0), (64, *codec.sample_shape)))
    strings = codec.decode(np.asarray(jax.nn.one_hot(rules, codec.sample_shape[1])))
    assert not all(codec.is_valid(string) for string in strings)
    assert max(map(len, strings)) <= 7
    with pytest.raises(InputError, match=r"string 2: .x-1..*position 2"):
        codec.encode(["x", "x-1"])
    with pytest.raises(InputError, match=r"string 1.*there may be 8"):
        codec.encode(["1+1+1+1+1"])
