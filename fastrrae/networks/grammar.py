"""The networks of the grammar variational autoencoder (Kusner et al. 2017), and the mask that makes derivations."""

import itertools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from ..grammars.grammar import Grammar
from ..grammars.rule_masks import derive_batch
from .initializers import fan_in_uniform
from .layers import Conv, linear

ENCODER_WIDTHS = (2, 3, 4)
DECODER_WIDTHS = (100, 100, 100)
HIDDEN = 100
_FIRST_KERNEL = 2


class GrammarEncoder(nnx.Module):
    """(batch, length, choices) -> (batch, latent_size).

    One convolution over the steps per width, without stride, with kernels of 2, 3, 4 and so on, each with ReLU and
    batch normalisation; a dense layer of 100 with ReLU; and a linear one. Short sequences are filled with zeros.
    """

    def __init__(
        self,
        sample_shape: Sequence[int],
        latent_size: int,
        *,
        widths: Sequence[int] = ENCODER_WIDTHS,
        rngs: nnx.Rngs,
    ):
        length, choices = sample_shape
        kernels = range(_FIRST_KERNEL, _FIRST_KERNEL + len(widths))
        lost = sum(kernels) - len(widths)
        self.filled = max(0, lost + 1 - length)
        pairs = itertools.pairwise((choices, *widths))
        self.convolutions = nnx.List(
            Conv(before, after, (kernel,), rngs=rngs) for kernel, (before, after) in zip(kernels, pairs, strict=True)
        )
        self.normalisations = nnx.List(nnx.BatchNorm(width, momentum=0.9, rngs=rngs) for width in widths)
        self.hidden = linear((length + self.filled - lost) * widths[-1], HIDDEN, rngs=rngs)
        self.project = linear(HIDDEN, latent_size, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        x = jnp.pad(x, ((0, 0), (0, self.filled), (0, 0)))
        for convolve, normalise in zip(self.convolutions, self.normalisations, strict=True):
            x = normalise(nnx.relu(convolve(x))).astype(x.dtype)  # flax answers bfloat16 in float32
        return self.project(nnx.relu(self.hidden(x.reshape(x.shape[0], -1))))


class GrammarDecoder(nnx.Module):
    """(batch, latent_size) -> logits (batch, length, choices).

    A dense layer with ReLU, repeated for every step; gated recurrent units (GRUs), a layer for each width; and a linear
    layer at every step.
    """

    def __init__(
        self,
        latent_size: int,
        sample_shape: Sequence[int],
        *,
        widths: Sequence[int] = DECODER_WIDTHS,
        rngs: nnx.Rngs,
    ):
        self.length, choices = sample_shape
        self.dense = linear(latent_size, widths[0], rngs=rngs)
        pairs = itertools.pairwise((widths[0], *widths))
        self.recurrent = nnx.List(GRU(before, after, rngs=rngs) for before, after in pairs)
        self.output = linear(widths[-1], choices, rngs=rngs)

    def __call__(self, z: Array) -> Array:
        start = nnx.relu(self.dense(z))
        steps = jnp.broadcast_to(start[None], (self.length, *start.shape))
        for layer in self.recurrent:
            steps = layer(steps)
        return jnp.moveaxis(self.output(steps), 0, 1)


class GRU(nnx.Module):
    """Gated recurrent units (Cho et al. 2014), from zero: (steps, batch, size_in) -> (steps, batch, size_out).

    `h' = (1 - u) n + u h`, with the update and reset gates `u, r = sigmoid(x W + h V + b)` and
    `n = tanh(x W_n + b_n + r (h V_n + c))`. The products with `x` are those of all steps at once.
    """

    def __init__(self, size_in: int, size_out: int, *, rngs: nnx.Rngs):
        initialise = fan_in_uniform(size_out)
        self.size_out = size_out
        self.from_input = linear(size_in, 3 * size_out, rngs=rngs)
        self.from_state = nnx.Param(initialise(rngs.params(), (size_out, 3 * size_out)))
        self.state_bias = nnx.Param(initialise(rngs.params(), (size_out,)))

    def __call__(self, x: Array) -> Array:
        kernel, bias = self.from_state[...], self.state_bias[...]

        def step(state: Array, given: Array) -> tuple[Array, Array]:
            recurrent = state @ kernel
            gates = nnx.sigmoid(given[:, : -self.size_out] + recurrent[:, : -self.size_out])
            update, reset = jnp.split(gates, 2, axis=-1)
            new = nnx.tanh(given[:, -self.size_out :] + reset * (recurrent[:, -self.size_out :] + bias))
            state = (1 - update) * new + update * state
            return state, state

        start = jnp.zeros((x.shape[1], self.size_out), x.dtype)
        return jax.lax.scan(step, start, self.from_input(x))[1]


class DerivingDecoder(nnx.Module):
    """Any decoder of logits; at inference its logits become whole derivations of a grammar.

    Args:
        logits: a network (batch, latent_size) -> (batch, length, rules + 1).
        grammar: whose rules the logits are of.

    In training mode `decoder(z)` are the logits, and the loss masks them. At inference they are one-hot derivations
    (batch, length, rules + 1), at each step the best rule that the stack allows.
    """

    def __init__(self, logits: Callable[[Array], Array], grammar: Grammar):
        self.logits = logits
        self.grammar = grammar
        self.deterministic = False

    def __call__(self, z: Array) -> Array:
        logits = self.logits(z)
        if not self.deterministic:
            return logits
        return self._one_hot(derive_batch(self.grammar, logits), logits)

    def draw(self, z: Array, keys: Array) -> Array:
        """Derivations drawn by the probabilities of the rules that the stack allows, with a random key for each row."""
        logits = self.logits(z)
        return self._one_hot(derive_batch(self.grammar, logits, keys), logits)

    @staticmethod
    def _one_hot(rules: Array, logits: Array) -> Array:
        return jax.nn.one_hot(rules, logits.shape[-1], dtype=logits.dtype)
