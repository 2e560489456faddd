"""Inverse autoregressive flow (Kingma et al. 2016): steps whose change of volume is a product of gates."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from ...networks.initializers import fan_in_uniform
from ...networks.layers import linear

_OPEN = 1.5  # added to the gates, so that a step starts close to the identity


class MaskedLinear(nnx.Module):
    """A linear layer that uses only the weights that a mask (size_in, size_out) lets through."""

    def __init__(self, mask: np.ndarray, *, rngs: nnx.Rngs):
        self.mask = tuple(map(tuple, mask.astype(bool).tolist()))
        initialise = fan_in_uniform(mask.shape[0])
        self.kernel = nnx.Param(initialise(rngs.params(), mask.shape))
        self.bias = nnx.Param(initialise(rngs.params(), mask.shape[1:]))

    def __call__(self, x: Array) -> Array:
        return x @ jnp.where(np.array(self.mask), self.kernel[...], 0.0) + self.bias[...]


class InverseAutoregressiveStep(nnx.Module):
    """`y = gate * z + (1 - gate) * m`, where gate and m at coordinate i depend on the coordinates before i alone.

    So dy/dz is triangular, and log |det dy/dz| is the sum of the logarithms of the gates (equations 13 and 14 of the
    paper). The network has one hidden layer, masked as in MADE (Germain et al. 2015), and sees a context.

    Args:
        rank: size of the vectors.
        context: size of the context vectors.
        width: units of the hidden layer.
        reverse: whether "before" means after: to be switched from step to step.
        rngs: random streams of the initial weights.
    """

    def __init__(self, rank: int, context: int, width: int, *, reverse: bool = False, rngs: nnx.Rngs):
        order = np.arange(rank)[::-1] if reverse else np.arange(rank)
        hidden = np.arange(width) % max(rank - 1, 1)  # the latest coordinate that a unit sees
        self.first = MaskedLinear(order[:, None] <= hidden if rank > 1 else np.zeros((1, width)), rngs=rngs)
        self.context = linear(context, width, rngs=rngs)
        seen = hidden[:, None] < order
        self.mean = MaskedLinear(seen, rngs=rngs)
        self.gate = MaskedLinear(seen, rngs=rngs)
        # What the first coordinate gets, which sees no other, depends on the context too.
        self.context_mean = linear(context, rank, rngs=rngs)
        self.context_gate = linear(context, rank, rngs=rngs)

    def __call__(self, z: Array, context: Array) -> tuple[Array, Array]:
        """`y` (batch, rank), and log |det dy/dz| (batch,), for `z` (batch, rank) and `context` (batch, context)."""
        hidden = nnx.relu(self.first(z) + self.context(context))
        mean = self.mean(hidden) + self.context_mean(context)
        gate = self.gate(hidden) + self.context_gate(context) + _OPEN
        opened = jax.nn.sigmoid(gate)
        return opened * z + (1 - opened) * mean, jnp.sum(jax.nn.log_sigmoid(gate), axis=-1)
