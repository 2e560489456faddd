"""The same network as `fastrrae.models.convolutional`, as one would write it with Flax's own layers: the baseline."""

import copy
from typing import Any

import jax.numpy as jnp
from flax import nnx

from fastrrae.models import Autoencoder, ConvolutionalDecoder, ConvolutionalEncoder
from fastrrae.models.layers import Conv, ConvTranspose


def plain_twin(model: Autoencoder) -> Autoencoder:
    """A copy of a convolutional `model` with `nnx.Conv` and `nnx.ConvTranspose` in the place of ours, same weights."""
    encoder, decoder = copy.deepcopy(model.encoder), copy.deepcopy(model.decoder)
    assert isinstance(encoder, ConvolutionalEncoder)
    assert isinstance(decoder, ConvolutionalDecoder)
    layers: dict[Any, dict[str, Any]] = {
        encoder: {"convolutions": nnx.List(_plain_convolution(layer) for layer in encoder.convolutions)},
        decoder: {
            "doublings": nnx.List(_plain_doubling(layer) for layer in decoder.doublings),
            "trim": _plain_convolution(decoder.trim),
        },
    }
    for module, replacements in layers.items():
        for name, layer in replacements.items():
            setattr(module, name, layer)
    return Autoencoder(encoder, copy.deepcopy(model.bottleneck), decoder)


def _plain_convolution(layer: Conv) -> nnx.Conv:
    *window, channels_in, channels_out = layer.kernel[...].shape
    padding = [(layer.padding, layer.padding)] * len(window)
    plain = nnx.Conv(channels_in, channels_out, window, strides=layer.stride, padding=padding, rngs=nnx.Rngs(0))
    return _with_weights(plain, layer.kernel[...], layer.bias[...])


def _plain_doubling(layer: ConvTranspose) -> nnx.ConvTranspose:
    *window, channels_in, channels_out = layer.kernel[...].shape
    # Flax pads the input after inserting zeros, and does not flip the kernel: PyTorch's padding 1 and output padding 1.
    plain = nnx.ConvTranspose(channels_in, channels_out, window, 2, padding=[(1, 2)] * len(window), rngs=nnx.Rngs(0))
    return _with_weights(plain, jnp.flip(layer.kernel[...], range(len(window))), layer.bias[...])


def _with_weights(plain, kernel, bias):
    plain.kernel.set_value(kernel)
    plain.bias.set_value(bias)
    return plain
