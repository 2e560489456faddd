"""The authors' convolutional encoder and decoder, in one (signals) or two (images) spatial dimensions."""

import itertools
import math
from collections.abc import Sequence

from flax import nnx
from jax import Array

from .layers import Conv, ConvTranspose, FlatteningLinear, linear

ENCODER_WIDTHS = (32, 64)
DECODER_WIDTHS = (256, 128, 32, 8)
DECODER_START_CHANNELS = 32


class ConvolutionalEncoder(nnx.Module):
    """(batch, *space, channels) -> (batch, latent_size).

    One convolution per width (kernel 3, stride 2, padding 1, ReLU), each of which halves the spatial sizes, rounded up;
    then flattened into a linear layer.
    """

    def __init__(
        self,
        sample_shape: Sequence[int],
        latent_size: int,
        *,
        widths: Sequence[int] = ENCODER_WIDTHS,
        rngs: nnx.Rngs,
    ):
        *space, channels = sample_shape
        kernel_size = (3,) * len(space)
        channels_per_layer = (channels, *widths)
        self.convolutions = nnx.List(
            Conv(before, after, kernel_size, stride=2, padding=1, rngs=rngs)
            for before, after in itertools.pairwise(channels_per_layer)
        )
        final_space = [halved(size, len(widths)) for size in space]
        self.project = FlatteningLinear(math.prod(final_space) * channels_per_layer[-1], latent_size, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        for layer in self.convolutions:
            x = nnx.relu(layer(x))
        return self.project(x)


class ConvolutionalDecoder(nnx.Module):
    """(batch, latent_size) -> (batch, *space, channels).

    A linear layer to the spatial sizes halved once per width (rounded up each time), one transposed convolution per
    width, each of which doubles them (ReLU), and an output convolution without padding, whose kernel is as large as it
    takes to cut the excess: 28 -> 2 -> 32 -> 28 with a kernel of 5.
    """

    def __init__(
        self,
        latent_size: int,
        sample_shape: Sequence[int],
        *,
        widths: Sequence[int] = DECODER_WIDTHS,
        start_channels: int = DECODER_START_CHANNELS,
        rngs: nnx.Rngs,
    ):
        *space, channels = sample_shape
        self.start_shape = (*(halved(size, len(widths)) for size in space), start_channels)
        self.project = linear(latent_size, math.prod(self.start_shape), rngs=rngs)
        channels_per_layer = (start_channels, *widths)
        self.upsampling = nnx.List(
            ConvTranspose(before, after, len(space), rngs=rngs)
            for before, after in itertools.pairwise(channels_per_layer)
        )
        grown = [start << len(widths) for start in self.start_shape[:-1]]
        kernel_size = [size - wanted + 1 for size, wanted in zip(grown, space, strict=True)]
        self.output = Conv(channels_per_layer[-1], channels, kernel_size, rngs=rngs)

    def __call__(self, z: Array) -> Array:
        x = self.project(z).reshape(z.shape[0], *self.start_shape)
        for layer in self.upsampling:
            x = nnx.relu(layer(x))
        return self.output(x)


def halved(size: int, times: int) -> int:
    """`size` halved `times` times, rounded up each time."""
    return -(-size // 2**times)
