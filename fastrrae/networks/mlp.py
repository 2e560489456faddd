"""A multilayer perceptron as encoder and decoder, for vectors and short curves; any sample shape is flattened."""

import itertools
import math
from collections.abc import Sequence

from flax import nnx
from jax import Array

from .layers import linear

WIDTHS = (256, 256)


class MLP(nnx.Module):
    """Linear layers with ReLU between them."""

    def __init__(self, sizes: Sequence[int], *, rngs: nnx.Rngs):
        self.layers = nnx.List(linear(before, after, rngs=rngs) for before, after in itertools.pairwise(sizes))

    def __call__(self, x: Array) -> Array:
        for layer in self.layers[:-1]:
            x = nnx.relu(layer(x))
        return self.layers[-1](x)


class MLPEncoder(nnx.Module):
    """(batch, *sample_shape) -> (batch, latent_size)."""

    def __init__(
        self, sample_shape: Sequence[int], latent_size: int, *, widths: Sequence[int] = WIDTHS, rngs: nnx.Rngs
    ):
        self.mlp = MLP((math.prod(sample_shape), *widths, latent_size), rngs=rngs)

    def __call__(self, x: Array) -> Array:
        return self.mlp(x.reshape(x.shape[0], -1))


class MLPDecoder(nnx.Module):
    """(batch, latent_size) -> (batch, *sample_shape)."""

    def __init__(
        self, latent_size: int, sample_shape: Sequence[int], *, widths: Sequence[int] = WIDTHS, rngs: nnx.Rngs
    ):
        self.sample_shape = tuple(sample_shape)
        self.mlp = MLP((latent_size, *widths, math.prod(sample_shape)), rngs=rngs)

    def __call__(self, z: Array) -> Array:
        return self.mlp(z).reshape(z.shape[0], *self.sample_shape)
