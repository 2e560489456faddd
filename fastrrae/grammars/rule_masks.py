"""Which rules may come next: the stack of nonterminals that are still to be replaced, as compiled programs.

A sample is a derivation as a sequence of one-hot vectors (length, rules + 1): the rules that are applied to the
leftmost nonterminal, one after the other, and then, to the end, the last entry, which stands for no rule.
"""

from functools import lru_cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from .grammar import Grammar

FORBIDDEN = -1e9  # a logit; not minus infinity, whose derivatives are not numbers


class RuleTable(NamedTuple):
    """A grammar as arrays; the last entry of each is that of no rule."""

    left: np.ndarray  # (rules + 1,) the nonterminal that a rule replaces, by index; -1 of no rule
    pushed: np.ndarray  # (rules + 1, width) nonterminals on its right, the last first, and then -1
    pushed_count: np.ndarray  # (rules + 1,)
    growth: np.ndarray  # (rules + 1,) by how much the least number of rules that are still needed changes
    needed: int | np.integer | Array  # by the start symbol


@lru_cache(maxsize=8)
def rule_table(grammar: Grammar) -> RuleTable:
    """The arrays of a grammar."""
    numbers = {name: number for number, name in enumerate(grammar.nonterminals)}
    count = len(grammar.rules) + 1
    width = max(1, max(len(rule.nonterminals) for rule in grammar.rules))
    left, growth = np.full(count, -1, np.int32), np.zeros(count, np.int32)
    pushed, pushed_count = np.full((count, width), -1, np.int32), np.zeros(count, np.int32)
    for index, rule in enumerate(grammar.rules):
        names = rule.nonterminals
        left[index], pushed_count[index] = numbers[rule.left], len(names)
        pushed[index, : len(names)] = [numbers[name] for name in reversed(names)]
        growth[index] = sum(grammar.shortest[name] for name in names) - grammar.shortest[rule.left]
    return RuleTable(left, pushed, pushed_count, growth, grammar.shortest[grammar.start])


def allowed_along(grammar: Grammar, x: Array) -> Array:
    """Which rules were allowed at each step of derivations `x` (batch, length, rules + 1): boolean, of that shape.

    Allowed are the rules of the leftmost nonterminal after which the rest of the steps suffices to end the derivation;
    after the end, no rule. One of them is the rule that `x` has.
    """
    table = rule_table(grammar)
    x = x.astype(jnp.float32)
    left = jnp.einsum("btr,r->bt", x, jnp.asarray(table.left, jnp.float32), precision=lax.Precision.HIGHEST)
    growth = jnp.einsum("btr,r->bt", x, jnp.asarray(table.growth, jnp.float32), precision=lax.Precision.HIGHEST)
    needed = table.needed + jnp.cumsum(growth, axis=1) - growth  # before the step
    remaining = jnp.arange(x.shape[1] - 1, -1, -1)[:, None]  # steps after this one
    fits = needed[..., None] + table.growth <= remaining
    return (left[..., None] == table.left) & fits


def derive_batch(grammar: Grammar, logits: Array, keys: Array | None = None) -> Array:
    """Derivations (batch, length) from logits (batch, length, rules + 1): at each step the best rule that is allowed.

    With random `keys`, a rule is drawn instead, by the softmax of the logits of those that are allowed. The entry of
    no rule, `rules`, fills the end. Whatever the logits are, the derivation is whole: the grammar derives its string.

    Args:
        grammar: whose shortest derivation has at most `length` rules.
        logits: any numbers, not NaN.
        keys: keys of `jax.random`, one for each row.
    """
    return derive_by_table(rule_table(grammar), logits, keys)


def derive_by_table(table: RuleTable, logits: Array, keys: Array | None = None) -> Array:
    """`derive_batch` by the arrays of a grammar, which may be arguments of a compiled program."""
    batch, length = logits.shape[:2]
    width = table.pushed.shape[1]
    left, pushed, pushed_count, growth = map(jnp.asarray, table[:4])
    scores = jnp.clip(logits, FORBIDDEN / 10, -FORBIDDEN / 10)
    if keys is not None:  # the largest of logits with Gumbel noise is a draw by their softmax
        scores += jax.vmap(lambda key: jax.random.gumbel(key, logits.shape[1:], logits.dtype))(keys)
    scores = jnp.moveaxis(scores, 1, 0)

    def step(
        state: tuple[Array, Array, Array], inputs: tuple[Array, Array]
    ) -> tuple[tuple[Array, Array, Array], Array]:
        stack, size, needed = state
        scores, remaining = inputs
        top = jnp.where(size > 0, jnp.take_along_axis(stack, jnp.maximum(size - 1, 0)[:, None], axis=1)[:, 0], -1)
        allowed = (left == top[:, None]) & (needed[:, None] + growth <= remaining)
        rule = jnp.argmax(jnp.where(allowed, scores, FORBIDDEN), axis=1)
        below = jnp.maximum(size - 1, 0)
        stack = jax.vmap(lambda row, new, at: lax.dynamic_update_slice(row, new, (at,)))(stack, pushed[rule], below)
        state = stack, below + pushed_count[rule], needed + growth[rule]
        return state, rule.astype(jnp.int32)

    # Each nonterminal on the stack needs a rule of its own, so that there are never more than steps.
    start_symbol = jnp.zeros((batch, length + width), jnp.int32)
    start = start_symbol, jnp.ones(batch, jnp.int32), jnp.full(batch, table.needed, jnp.int32)
    _, rules = lax.scan(step, start, (scores, jnp.arange(length - 1, -1, -1)))
    return rules.T
