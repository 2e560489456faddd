"""The family: of which bottleneck and which penalties each member is made. A new member is one more line here."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import jax.numpy as jnp
from flax import nnx
from jax import Array

from .config import ModelConfig, ModelName, ObjectiveConfig
from .models import Autoencoder, Output
from .models.bottlenecks import (
    Bottleneck,
    Gaussian,
    Identity,
    NormalMatched,
    RankReduction,
    VariationalRankReduction,
)
from .models.constant_variance import ConstantVariance
from .models.linear_layers import LinearLayers
from .models.mixture_matched import MixtureMatched
from .models.priors import MixturePrior
from .objectives.decoder_smoothness import gradient_penalty, kernel_size
from .objectives.discrepancy import discrepancy
from .objectives.embedding import embedding_size
from .objectives.kl import kl_divergence
from .objectives.mixture import mixture_distance
from .objectives.nuclear_norm import nuclear_norm


@dataclass(frozen=True)
class Penalty:
    """A term that is added to the reconstruction loss."""

    name: str  # in metrics.jsonl
    of: Callable[[ObjectiveConfig, Autoencoder, Output], Array]
    weight: float = 0.0  # where neither the user nor the recipe says; tried on digits, beside an error in per cent


@dataclass(frozen=True)
class Member:
    """A model of the family."""

    title: str
    bottleneck: Callable[[ModelConfig, nnx.Rngs], Bottleneck]
    penalties: tuple[Penalty, ...] = ()  # weighted by --beta and --regulariser, in this order
    reduces_rank: bool = False  # of the latent matrix of a batch, of size --latent-size
    spectral_norm: Literal["none", "decoder"] = "none"


def _kl(config: ObjectiveConfig, model: Autoencoder, output: Output) -> Array:
    if output.latent.logvar is None:
        return jnp.zeros(())  # a model of somebody's own that is not variational
    reduce = {"sum": jnp.sum, "mean": jnp.mean}[config.kl_reduction]
    return reduce(kl_divergence(output.latent.mean, output.latent.logvar))


def _discrepancy(config: ObjectiveConfig, model: Autoencoder, output: Output) -> Array:
    bottleneck = model.bottleneck
    assert isinstance(bottleneck, NormalMatched | Gaussian)
    return discrepancy(output.latent.z, bottleneck.draw_prior(len(output.latent.z)))


def _mixture(config: ObjectiveConfig, model: Autoencoder, output: Output) -> Array:
    bottleneck = model.bottleneck
    assert isinstance(bottleneck, MixtureMatched)
    return bottleneck.pull[...] * mixture_distance(output.latent.mean, bottleneck.prior)


def _nuclear_norm(config: ObjectiveConfig, model: Autoencoder, output: Output) -> Array:
    assert isinstance(model.bottleneck, LinearLayers)
    return nuclear_norm(model.bottleneck.product())


KL = Penalty("kl", _kl)
EMBEDDING = Penalty("embedding", lambda config, model, output: embedding_size(output.latent.mean), 1e-2)
KERNELS = Penalty("kernels", lambda config, model, output: kernel_size(model.decoder), 1e-3)
STEEPNESS = Penalty(
    "steepness",
    lambda config, model, output: gradient_penalty(model.decoder, output.latent.z, config.gradient_of),
    1e-2,
)
DISCREPANCY = Penalty("discrepancy", _discrepancy, 50.0)
MIXTURE = Penalty("mixture", _mixture, 5.0)
NUCLEAR_NORM = Penalty("nuclear_norm", _nuclear_norm, 1e-2)


def _identity(config: ModelConfig, rngs: nnx.Rngs) -> Bottleneck:
    return Identity(config.rank)


def _gaussian(config: ModelConfig, rngs: nnx.Rngs) -> Bottleneck:
    return Gaussian(config.rank, "linear" if config.mean == "auto" else config.mean, rngs=rngs)


def _variational_rank_reduction(config: ModelConfig, rngs: nnx.Rngs) -> Bottleneck:
    mean = "identity" if config.mean == "auto" else config.mean
    return VariationalRankReduction(config.latent_size, config.rank, mean, adaptive=config.adaptive_rank, rngs=rngs)


def _mixture_matched(config: ModelConfig, rngs: nnx.Rngs) -> Bottleneck:
    prior = MixturePrior(config.rank, config.components, config.distance)
    return MixtureMatched(prior, waits=config.align_after > 0)


FAMILY: dict[ModelName, Member] = {
    "ae": Member("autoencoder", _identity),
    "vae": Member("variational autoencoder, beta-VAE", _gaussian, (KL,)),
    "rrae": Member(
        "rank-reduction autoencoder",
        lambda config, rngs: RankReduction(config.latent_size, config.rank, adaptive=config.adaptive_rank),
        reduces_rank=True,
    ),
    "vrrae": Member("variational rank-reduction autoencoder", _variational_rank_reduction, (KL,), reduces_rank=True),
    "irmae": Member(
        "implicit rank-minimising autoencoder",
        lambda config, rngs: LinearLayers(config.rank, config.linear_layers, config.linear_variance, rngs=rngs),
    ),
    "lorae": Member(
        "low-rank autoencoder", lambda config, rngs: LinearLayers(config.rank, 1, rngs=rngs), (NUCLEAR_NORM,)
    ),
    "rae": Member("regularised autoencoder", _identity, (EMBEDDING,)),
    "rae-l2": Member("regularised autoencoder, kernels of the decoder", _identity, (EMBEDDING, KERNELS)),
    "rae-gp": Member("regularised autoencoder, gradient penalty", _identity, (EMBEDDING, STEEPNESS)),
    "rae-sn": Member(
        "regularised autoencoder, spectral normalisation", _identity, (EMBEDDING,), spectral_norm="decoder"
    ),
    "cv-vae": Member(
        "constant-variance VAE",
        lambda config, rngs: ConstantVariance(config.rank, config.deviation, rngs=rngs),
        (EMBEDDING,),
    ),
    "wae": Member(
        "Wasserstein autoencoder, MMD", lambda config, rngs: NormalMatched(config.rank, rngs=rngs), (DISCREPANCY,)
    ),
    "info-vae": Member("InfoVAE, MMD", _gaussian, (KL, DISCREPANCY)),
    "gmm-dae": Member("GMM-DAE, mixture prior", _mixture_matched, (MIXTURE,)),
}
