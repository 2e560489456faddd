"""Encoders and decoders, and the layers that they are made of."""

from .build import build_networks as build_networks
from .convolutional import ConvolutionalDecoder as ConvolutionalDecoder
from .convolutional import ConvolutionalEncoder as ConvolutionalEncoder
from .mlp import MLPDecoder as MLPDecoder
from .mlp import MLPEncoder as MLPEncoder
