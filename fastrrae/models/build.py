"""From the options of a model, or from a user's own parts, to an autoencoder."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any, cast

from flax import nnx

from ..config import NetworkConfig
from ..grammars.grammar import Grammar
from ..networks.build import build_networks, normalise_networks
from ..networks.grammar import DerivingDecoder
from .autoencoder import Autoencoder
from .base import Model
from .bottleneck import Bottleneck

Part = nnx.Module | Callable[..., Any]
"""A module, or a function (or class) that takes `rngs` and makes one."""


def build_model(
    options: Model,
    sample_shape: Sequence[int],
    *,
    network: NetworkConfig | None = None,
    grammar: Grammar | None = None,
    encoder: Part | None = None,
    decoder: Part | None = None,
    bottleneck: Part | None = None,
    seed: int = 0,
) -> Autoencoder:
    """The autoencoder that `options` describe, for samples of shape (D,), (T, C) or (H, W, C).

    Args:
        options: of the model, such as `VRRAE(rank=16, latent_size=64)`.
        sample_shape: the shape of one sample.
        network: which encoder and decoder to build where none are given.
        grammar: the grammar of strings. Samples are derivations (length, rules + 1); the decoder gives logits of rules,
            also your own.
        encoder: a module (batch, *sample_shape) -> (batch, latent_size), or a function of `rngs` that makes one.
        decoder: a module (batch, latent_size) -> (batch, *sample_shape), or a function of `rngs` that makes one.
        bottleneck: your own, instead of that of `options`; see `fastrrae.models.Bottleneck`.
        seed: determines the initial parameters and the noise of variational models.

    Example:
        >>> model = build_model(VRRAE(rank=4, latent_size=32), (28, 28, 1))
        >>> model(images).reconstruction.shape
        (64, 28, 28, 1)
    """
    network = network or NetworkConfig()
    rngs = nnx.Rngs(seed)
    middle = cast(Bottleneck, options.bottleneck(rngs) if bottleneck is None else make_part(bottleneck, rngs))
    if encoder is None or decoder is None:
        own_encoder, own_decoder = build_networks(
            network, tuple(sample_shape), middle.latent_size, strings=grammar is not None, rngs=rngs
        )
        encoder, decoder = encoder or own_encoder, decoder or own_decoder
    encoder, decoder = make_part(encoder, rngs), make_part(decoder, rngs)
    normalise_networks(
        encoder, decoder, options.spectral_norm if network.spectral_norm == "auto" else network.spectral_norm, rngs=rngs
    )
    if grammar is not None:
        decoder = DerivingDecoder(cast(Any, decoder), grammar)
    output = "none" if network.output == "auto" else network.output
    model = Autoencoder(cast(Any, encoder), middle, cast(Any, decoder), output)
    if bottleneck is None:
        options.extend(model, tuple(sample_shape), rngs)
    return model


def make_part(part: Part, rngs: nnx.Rngs) -> nnx.Module:
    """`part` itself if it is a module, or the module that it makes from `rngs`."""
    if isinstance(part, nnx.Module):
        return part
    maker = part.__init__ if isinstance(part, type) else part  # a class of flax has the signature of its metaclass
    keyword = "rngs" in inspect.signature(maker).parameters
    return part(rngs=rngs) if keyword else part(rngs)
