"""How probable the rules of a derivation are: the reconstruction loss of strings."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

from ..grammars.grammar import Grammar
from ..grammars.rule_masks import FORBIDDEN, allowed_along


def rule_cross_entropy(grammar: Grammar) -> Callable[[Array, Array], Array]:
    """The function `(x, logits) -> scalar`: `-log p(x)` in nats, averaged over the derivations of a batch.

    `p(x)` is the product over the steps of the softmax of those logits that the stack allows there, given the steps
    before: the probability with which `DerivingDecoder.draw` draws the derivation. Summed over all derivations that
    fit into the steps, it is 1.

    Args:
        grammar: whose rules they are.

    Example:
        >>> loss = rule_cross_entropy(EXPRESSIONS)
        >>> loss(x, logits)  # both (batch, length, rules + 1)
    """

    def loss(x: Array, logits: Array) -> Array:
        allowed = jnp.where(allowed_along(grammar, x), logits, FORBIDDEN)
        return -jnp.sum(x * jax.nn.log_softmax(allowed, axis=-1)) / len(x)

    return loss
