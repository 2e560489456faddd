"""From a configuration to a model."""

from collections.abc import Sequence

from flax import nnx

from .config import ModelConfig
from .errors import InputError
from .family import FAMILY
from .models import Autoencoder, batch_normalised, convolutional, mlp
from .models.spectral_normalisation import normalise_spectrally


def build_model(config: ModelConfig, sample_shape: Sequence[int], *, seed: int = 0) -> Autoencoder:
    """The autoencoder that `config` describes, for samples of shape (D,), (T, C) or (H, W, C).

    `seed` determines the initial parameters and the noise of variational members.
    """
    member = FAMILY[config.model]
    if member.reduces_rank and config.rank > config.latent_size:
        raise InputError(
            f"rank must be at most latent_size = {config.latent_size}; got {config.rank}. "
            f"Lower --rank or raise --latent-size"
        )
    rngs = nnx.Rngs(seed)
    bottleneck = member.bottleneck(config, rngs)
    encoder, decoder = _build_networks(config, tuple(sample_shape), bottleneck.latent_size, rngs)
    normalised = member.spectral_norm if config.spectral_norm == "auto" else config.spectral_norm
    if normalised == "both":
        normalise_spectrally(encoder, rngs=rngs)
    if normalised != "none":
        normalise_spectrally(decoder, rngs=rngs)
    return Autoencoder(encoder, bottleneck, decoder)


def _build_networks(config: ModelConfig, sample_shape: tuple[int, ...], latent_size: int, rngs: nnx.Rngs):
    network = config.network
    if network == "auto":
        network = "mlp" if len(sample_shape) == 1 else "convolutional"
    if network == "mlp":
        encoder_widths = config.encoder_widths or mlp.WIDTHS
        decoder_widths = config.decoder_widths or mlp.WIDTHS
        encoder = mlp.MLPEncoder(sample_shape, latent_size, widths=encoder_widths, rngs=rngs)
        return encoder, mlp.MLPDecoder(latent_size, sample_shape, widths=decoder_widths, rngs=rngs)
    if len(sample_shape) not in (2, 3):
        raise InputError(
            f"the {network} network needs samples of shape (T, C) or (H, W, C); got {sample_shape}. "
            f"Use --network mlp, or say what the axes are with --layout"
        )
    if network == "batch-normalised":
        encoder_widths = config.encoder_widths or batch_normalised.ENCODER_WIDTHS
        decoder_widths = config.decoder_widths or batch_normalised.DECODER_WIDTHS
        encoder = batch_normalised.BatchNormalisedEncoder(sample_shape, latent_size, widths=encoder_widths, rngs=rngs)
        decoder = batch_normalised.BatchNormalisedDecoder(latent_size, sample_shape, widths=decoder_widths, rngs=rngs)
        return encoder, decoder
    encoder_widths = config.encoder_widths or convolutional.ENCODER_WIDTHS
    decoder_widths = config.decoder_widths or convolutional.DECODER_WIDTHS
    encoder = convolutional.ConvolutionalEncoder(sample_shape, latent_size, widths=encoder_widths, rngs=rngs)
    decoder = convolutional.ConvolutionalDecoder(latent_size, sample_shape, widths=decoder_widths, rngs=rngs)
    return encoder, decoder
