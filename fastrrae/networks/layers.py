"""Layers with the authors' initialisation."""

import math
from collections.abc import Sequence

import jax.numpy as jnp
from flax import nnx
from jax import Array

from .convolution import convolution, transposed_convolution
from .initializers import fan_in_uniform


def linear(size_in: int, size_out: int, *, rngs: nnx.Rngs) -> nnx.Linear:
    """`x @ kernel + bias` on the last axis."""
    initialise = fan_in_uniform(size_in)
    return nnx.Linear(size_in, size_out, kernel_init=initialise, bias_init=initialise, rngs=rngs)


class FlatteningLinear(nnx.Module):
    """`linear` of all values of a sample: (batch, *shape) -> (batch, size_out), with a kernel (values, size_out).

    The product sums over the sample's axes as they are. Flattened first, a TPU would write the samples once more, and
    could not fuse their gradient with what came before.
    """

    def __init__(self, size_in: int, size_out: int, *, rngs: nnx.Rngs):
        initialise = fan_in_uniform(size_in)
        self.kernel = nnx.Param(initialise(rngs.params(), (size_in, size_out)))
        self.bias = nnx.Param(initialise(rngs.params(), (size_out,)))

    def __call__(self, x: Array) -> Array:
        kernel = self.kernel[...].reshape(*x.shape[1:], -1)
        return jnp.tensordot(x, kernel, axes=x.ndim - 1) + self.bias[...]


class Conv(nnx.Module):
    """A convolution, channels last, over as many spatial dimensions as `kernel_size` has entries.

    Input (batch, *space, channels_in), output (batch, *space_out, channels_out).
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel_size: Sequence[int],
        *,
        stride: int = 1,
        padding: int = 0,
        rngs: nnx.Rngs,
    ):
        self.stride, self.padding = stride, padding
        initialise = fan_in_uniform(channels_in * math.prod(kernel_size))
        self.kernel = nnx.Param(initialise(rngs.params(), (*kernel_size, channels_in, channels_out)))
        self.bias = nnx.Param(initialise(rngs.params(), (channels_out,)))

    def __call__(self, x: Array) -> Array:
        return convolution(x, self.kernel[...], stride=self.stride, padding=self.padding) + self.bias[...]


class ConvTranspose(nnx.Module):
    """Upsampling by 2: kernel 3 or 4, stride 2, padding 1, output padding 1 or 0, as PyTorch counts them.

    Input (batch, *space, channels_in), output (batch, *(2 * space), channels_out).
    """

    def __init__(self, channels_in: int, channels_out: int, space: int, *, kernel_size: int = 3, rngs: nnx.Rngs):
        self.output_padding = 4 - kernel_size
        sizes = (kernel_size,) * space
        initialise = fan_in_uniform(channels_in * math.prod(sizes))
        self.kernel = nnx.Param(initialise(rngs.params(), (*sizes, channels_in, channels_out)))
        self.bias = nnx.Param(initialise(rngs.params(), (channels_out,)))

    def __call__(self, x: Array) -> Array:
        y = transposed_convolution(x, self.kernel[...], stride=2, padding=1, output_padding=self.output_padding)
        return y + self.bias[...]
