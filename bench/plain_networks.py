"""The same network as `fastrrae.networks.convolutional`, as one would write it with Flax's own layers: the baseline."""

import copy
from typing import Any

import jax.numpy as jnp
from flax import nnx

from fastrrae.models import Autoencoder
from fastrrae.networks import ConvolutionalDecoder, ConvolutionalEncoder
from fastrrae.networks.layers import Conv, ConvTranspose


def plain_twin(model: Autoencoder) -> Autoencoder:
    """A copy of a convolutional `model` with `nnx.Conv` and `nnx.ConvTranspose` in the place of ours, same weights."""
    encoder, decoder = copy.deepcopy(model.encoder), copy.deepcopy(model.decoder)
    assert isinstance(encoder, ConvolutionalEncoder)
    assert isinstance(decoder, ConvolutionalDecoder)
    layers: dict[Any, dict[str, Any]] = {
        encoder: {"convolutions": nnx.List(_plain_convolution(layer) for layer in encoder.convolutions)},
        decoder: {
            "upsampling": nnx.List(_plain_upsampling(layer) for layer in decoder.upsampling),
            "output": _plain_convolution(decoder.output),
        },
    }
    for module, replacements in layers.items():
        for name, layer in replacements.items():
            setattr(module, name, layer)
    return Autoencoder(encoder, copy.deepcopy(model.bottleneck), decoder)


def _plain_convolution(layer: Conv) -> nnx.Conv:
    *kernel_size, channels_in, channels_out = layer.kernel[...].shape
    padding = [(layer.padding, layer.padding)] * len(kernel_size)
    plain = nnx.Conv(channels_in, channels_out, kernel_size, strides=layer.stride, padding=padding, rngs=nnx.Rngs(0))
    return _with_weights(plain, layer.kernel[...], layer.bias[...])


def _plain_upsampling(layer: ConvTranspose) -> nnx.ConvTranspose:
    *kernel_size, channels_in, channels_out = layer.kernel[...].shape
    # Flax pads the input after inserting zeros, and does not flip the kernel: PyTorch's padding 1 and output padding 1.
    plain = nnx.ConvTranspose(
        channels_in, channels_out, kernel_size, 2, padding=[(1, 2)] * len(kernel_size), rngs=nnx.Rngs(0)
    )
    return _with_weights(plain, jnp.flip(layer.kernel[...], range(len(kernel_size))), layer.bias[...])


def _with_weights(plain, kernel, bias):
    plain.kernel.set_value(kernel)
    plain.bias.set_value(bias)
    return plain
