"""From a configuration to an encoder and a decoder."""

from typing import Literal

from flax import nnx

from ..config import NetworkConfig
from ..errors import InputError
from . import batch_normalised, convolutional, grammar, kernel_4, mlp
from .spectral_normalisation import normalise_spectrally

Kind = Literal["convolutional", "batch-normalised", "kernel-4", "mlp", "grammar"]

_NETWORKS: dict[Kind, tuple[type, type, tuple[int, ...], tuple[int, ...]]] = {
    "mlp": (mlp.MLPEncoder, mlp.MLPDecoder, mlp.WIDTHS, mlp.WIDTHS),
    "convolutional": (
        convolutional.ConvolutionalEncoder,
        convolutional.ConvolutionalDecoder,
        convolutional.ENCODER_WIDTHS,
        convolutional.DECODER_WIDTHS,
    ),
    "batch-normalised": (
        batch_normalised.BatchNormalisedEncoder,
        batch_normalised.BatchNormalisedDecoder,
        kernel_4.ENCODER_WIDTHS,
        kernel_4.DECODER_WIDTHS,
    ),
    "kernel-4": (kernel_4.Kernel4Encoder, kernel_4.Kernel4Decoder, kernel_4.ENCODER_WIDTHS, kernel_4.DECODER_WIDTHS),
    "grammar": (grammar.GrammarEncoder, grammar.GrammarDecoder, grammar.ENCODER_WIDTHS, grammar.DECODER_WIDTHS),
}


def build_networks(
    config: NetworkConfig, sample_shape: tuple[int, ...], latent_size: int, *, strings: bool = False, rngs: nnx.Rngs
) -> tuple[nnx.Module, nnx.Module]:
    """An encoder (batch, *sample_shape) -> (batch, latent_size) and a decoder back, not yet normalised spectrally.

    Of `strings`, samples are one-hot sequences (length, choices), and the decoder gives logits.
    """
    kind = _kind(config, sample_shape, strings)
    encoder, decoder, encoder_widths, decoder_widths = _NETWORKS[kind]
    return (
        encoder(sample_shape, latent_size, widths=config.encoder_widths or encoder_widths, rngs=rngs),
        decoder(latent_size, sample_shape, widths=config.decoder_widths or decoder_widths, rngs=rngs),
    )


def normalise_networks(
    encoder: nnx.Module, decoder: nnx.Module, which: Literal["none", "decoder", "both"], *, rngs: nnx.Rngs
) -> None:
    """Make every layer of the networks that `which` names at most 1-Lipschitz, in place."""
    if which == "both":
        normalise_spectrally(encoder, rngs=rngs)
    if which != "none":
        normalise_spectrally(decoder, rngs=rngs)


def _kind(config: NetworkConfig, sample_shape: tuple[int, ...], strings: bool) -> Kind:
    if config.network == "grammar" and len(sample_shape) != 2:
        raise InputError(f"the grammar network needs sequences of shape (length, choices); got {sample_shape}")
    if config.network == "auto":
        if strings:
            return "grammar"
        return "mlp" if len(sample_shape) == 1 else "convolutional"
    if config.network != "mlp" and len(sample_shape) not in (2, 3):
        raise InputError(
            f"the {config.network} network needs samples of shape (T, C) or (H, W, C); got {sample_shape}. "
            f"Set `network.network` to mlp, or say what the axes are with `data.layout`"
        )
    return config.network
