"""The convolutional networks of the RAE, WAE, GMM-DAE and IRMAE papers: kernels of 4. The IRMAE's are without batch
normalisation.
"""

import itertools
import math
from collections.abc import Sequence
from typing import ClassVar

import jax.numpy as jnp
from flax import nnx
from jax import Array

from .convolutional import halved
from .layers import Conv, ConvTranspose, FlatteningLinear, linear

ENCODER_WIDTHS = (128, 256, 512, 1024)
DECODER_WIDTHS = (1024, 512, 256)
_KERNEL = 4


class Rectifier(nnx.Module):
    """ReLU, after a layer with so many channels."""

    def __init__(self, channels: int, *, rngs: nnx.Rngs):
        del channels, rngs

    def __call__(self, x: Array) -> Array:
        return nnx.relu(x)


class Kernel4Encoder(nnx.Module):
    """(batch, *space, channels) -> (batch, latent_size).

    One convolution per width (stride 2), each of which halves the spatial sizes, rounded up, and ReLU; then flattened
    into a linear layer.
    """

    after: ClassVar[type] = Rectifier  # each convolution

    def __init__(
        self,
        sample_shape: Sequence[int],
        latent_size: int,
        *,
        widths: Sequence[int] = ENCODER_WIDTHS,
        rngs: nnx.Rngs,
    ):
        *space, channels = sample_shape
        kernel_size = (_KERNEL,) * len(space)
        pairs = list(itertools.pairwise((channels, *widths)))
        self.convolutions = nnx.List(
            Conv(before, after, kernel_size, stride=2, padding=1, rngs=rngs) for before, after in pairs
        )
        # The name is that in the checkpoints of batch-normalised networks.
        self.normalisations = nnx.List(self.after(after, rngs=rngs) for _, after in pairs)
        final_space = [halved(size, len(widths)) for size in space]
        self.project = FlatteningLinear(math.prod(final_space) * pairs[-1][1], latent_size, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        for convolve, normalise in zip(self.convolutions, self.normalisations, strict=True):
            x = normalise(convolve(_with_even_sizes(x)))
        return self.project(x)


class Kernel4Decoder(nnx.Module):
    """(batch, latent_size) -> (batch, *space, channels).

    A linear layer to `widths[0]` channels, the spatial sizes halved once per further width (rounded up each time); for
    each of these one transposed convolution that doubles them; ReLU after all of these; and an output convolution to
    the sample's channels, cut to its size.
    """

    after: ClassVar[type] = Rectifier  # the linear layer, and each transposed convolution

    def __init__(
        self,
        latent_size: int,
        sample_shape: Sequence[int],
        *,
        widths: Sequence[int] = DECODER_WIDTHS,
        rngs: nnx.Rngs,
    ):
        *space, channels = sample_shape
        self.spatial_shape = tuple(space)
        count = len(widths) - 1
        self.start_shape = (*(halved(size, count) for size in space), widths[0])
        self.project = linear(latent_size, math.prod(self.start_shape), rngs=rngs)
        self.upsampling = nnx.List(
            ConvTranspose(before, after, len(space), kernel_size=_KERNEL, rngs=rngs)
            for before, after in itertools.pairwise(widths)
        )
        self.normalisations = nnx.List(self.after(width, rngs=rngs) for width in widths)
        self.output = Conv(widths[-1], channels, (_KERNEL,) * len(space), padding=_KERNEL // 2, rngs=rngs)

    def __call__(self, z: Array) -> Array:
        first, *others = self.normalisations
        x = first(self.project(z).reshape(z.shape[0], *self.start_shape))
        for upsample, normalise in zip(self.upsampling, others, strict=True):
            x = normalise(upsample(x))
        return self.output(x)[(slice(None), *(slice(size) for size in self.spatial_shape))]


def _with_even_sizes(x: Array) -> Array:
    """A row of zeros at the end of every odd dimension, so that halving rounds up."""
    odd = [(0, size % 2) for size in x.shape[1:-1]]
    return jnp.pad(x, [(0, 0), *odd, (0, 0)]) if any(after for _, after in odd) else x
