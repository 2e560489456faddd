"""The convolutional networks of the RAE, WAE, GMM-DAE and IRMAE papers: windows of 4, batch normalisation."""

import itertools
import math
from collections.abc import Sequence

import jax.numpy as jnp
from flax import nnx
from jax import Array

from .convolutional import halved
from .layers import Conv, ConvTranspose, linear

ENCODER_WIDTHS = (128, 256, 512, 1024)
DECODER_WIDTHS = (1024, 512, 256)
_WINDOW = 4


class _Normalisation(nnx.Module):
    """Batch normalisation and ReLU. In training mode by the whole (global) batch; at inference by running means."""

    def __init__(self, channels: int, *, rngs: nnx.Rngs):
        # Running means that forget in ten steps (PyTorch's; flax's hundred lag behind short trainings).
        self.norm = nnx.BatchNorm(channels, momentum=0.9, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        return nnx.relu(self.norm(x)).astype(x.dtype)  # flax answers bfloat16 in float32


class BatchNormalisedEncoder(nnx.Module):
    """(batch, *space, channels) -> (batch, latent_size): the RAE paper's table C.

    One convolution per width (stride 2), each of which halves the sides, rounded up, batch normalisation and ReLU;
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
        *sides, channels = sample_shape
        window = (_WINDOW,) * len(sides)
        pairs = list(itertools.pairwise((channels, *widths)))
        self.convolutions = nnx.List(
            Conv(before, after, window, stride=2, padding=1, rngs=rngs) for before, after in pairs
        )
        self.normalisations = nnx.List(_Normalisation(after, rngs=rngs) for _, after in pairs)
        final_sides = [halved(side, len(widths)) for side in sides]
        self.project = linear(math.prod(final_sides) * pairs[-1][1], latent_size, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        for convolve, normalise in zip(self.convolutions, self.normalisations, strict=True):
            x = normalise(convolve(_with_even_sides(x)))
        return self.project(x.reshape(x.shape[0], -1))


class BatchNormalisedDecoder(nnx.Module):
    """(batch, latent_size) -> (batch, *space, channels): the RAE paper's table C.

    A linear layer to `widths[0]` channels, the sides halved once per further width (rounded up each time); for each
    of these one transposed convolution that doubles the sides; batch normalisation and ReLU after all of these; and a
    last convolution to the sample's channels, cut to its sides.
    """

    def __init__(
        self,
        latent_size: int,
        sample_shape: Sequence[int],
        *,
        widths: Sequence[int] = DECODER_WIDTHS,
        rngs: nnx.Rngs,
    ):
        *sides, channels = sample_shape
        self.sides = tuple(sides)
        doublings = len(widths) - 1
        self.start_shape = (*(halved(side, doublings) for side in sides), widths[0])
        self.project = linear(latent_size, math.prod(self.start_shape), rngs=rngs)
        self.doublings = nnx.List(
            ConvTranspose(before, after, len(sides), window=_WINDOW, rngs=rngs)
            for before, after in itertools.pairwise(widths)
        )
        self.normalisations = nnx.List(_Normalisation(width, rngs=rngs) for width in widths)
        self.last = Conv(widths[-1], channels, (_WINDOW,) * len(sides), padding=_WINDOW // 2, rngs=rngs)

    def __call__(self, z: Array) -> Array:
        first, *others = self.normalisations
        x = first(self.project(z).reshape(z.shape[0], *self.start_shape))
        for double, normalise in zip(self.doublings, others, strict=True):
            x = normalise(double(x))
        return self.last(x)[(slice(None), *(slice(side) for side in self.sides))]


def _with_even_sides(x: Array) -> Array:
    """A row of zeros after every odd side, so that halving rounds up."""
    odd = [(0, side % 2) for side in x.shape[1:-1]]
    return jnp.pad(x, [(0, 0), *odd, (0, 0)]) if any(after for _, after in odd) else x
