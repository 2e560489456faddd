"""The authors' convolutional encoder and decoder, in one (signals) or two (images) spatial dimensions."""

import itertools
import math
from collections.abc import Sequence

from flax import nnx
from jax import Array

from .layers import Conv, ConvTranspose, linear

ENCODER_WIDTHS = (32, 64)
DECODER_WIDTHS = (256, 128, 32, 8)
DECODER_START_CHANNELS = 32


class ConvolutionalEncoder(nnx.Module):
    """(batch, *space, channels) -> (batch, latent_size).

    One convolution per width (window 3, stride 2, padding 1, ReLU), each of which halves the sides, rounded up; then
    flattened into a linear layer.
    """

    def __init__(
        self,
        sample_shape: Sequence[int],
        latent_size: int,
        *,
        widths: Sequence[int] = ENCODER_WIDTHS,
        rngs: nnx.Rngs,
    ):
        *sides, channels = sample_shape
        window = (3,) * len(sides)
        channels_per_layer = (channels, *widths)
        self.convolutions = nnx.List(
            Conv(before, after, window, stride=2, padding=1, rngs=rngs)
            for before, after in itertools.pairwise(channels_per_layer)
        )
        final_sides = [halved(side, len(widths)) for side in sides]
        self.project = linear(math.prod(final_sides) * channels_per_layer[-1], latent_size, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        for layer in self.convolutions:
            x = nnx.relu(layer(x))
        return self.project(x.reshape(x.shape[0], -1))


class ConvolutionalDecoder(nnx.Module):
    """(batch, latent_size) -> (batch, *space, channels).

    A linear layer to the sides halved once per width (rounded up each time), one transposed convolution per width,
    each of which doubles the sides (ReLU), and a final convolution without padding whose window is as large as it
    takes to trim the excess: 28 -> 2 -> 32 -> 28 with a window of 5.
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
        *sides, channels = sample_shape
        self.start_shape = (*(halved(side, len(widths)) for side in sides), start_channels)
        self.project = linear(latent_size, math.prod(self.start_shape), rngs=rngs)
        channels_per_layer = (start_channels, *widths)
        self.doublings = nnx.List(
            ConvTranspose(before, after, len(sides), rngs=rngs)
            for before, after in itertools.pairwise(channels_per_layer)
        )
        grown = [start << len(widths) for start in self.start_shape[:-1]]
        window = [big - side + 1 for big, side in zip(grown, sides, strict=True)]
        self.trim = Conv(channels_per_layer[-1], channels, window, rngs=rngs)

    def __call__(self, z: Array) -> Array:
        x = self.project(z).reshape(z.shape[0], *self.start_shape)
        for layer in self.doublings:
            x = nnx.relu(layer(x))
        return self.trim(x)


def halved(side: int, times: int) -> int:
    """`side` halved so many times, rounded up each time."""
    return -(-side // 2**times)
