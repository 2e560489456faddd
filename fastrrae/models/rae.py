"""The regularised autoencoders (Ghosh et al. 2020): small latent vectors, and a smooth decoder in one of three ways."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from flax import nnx

from ..objectives.decoder_penalties import GradientOf, decoder_gradient_penalty, kernel_l2_penalty
from ..objectives.latent_l2_penalty import latent_l2_penalty
from .base import Model, Penalty
from .bottleneck import Bottleneck, Identity


@dataclass(frozen=True)
class RAE(Model):
    """The regularised autoencoder: a penalty on the size of latent vectors alone."""

    name: ClassVar[str] = "rae"
    title: ClassVar[str] = "regularised autoencoder"
    default_weights: ClassVar[Mapping[str, float]] = {"latent_l2": 1e-2}

    def bottleneck(self, rngs: nnx.Rngs) -> Bottleneck:
        """The identity bottleneck."""
        return Identity(self.rank)

    def penalties(self) -> dict[str, Penalty]:
        """The mean square of the latent vectors."""
        return {"latent_l2": latent_l2_penalty}


@dataclass(frozen=True)
class RAEL2(RAE):
    """RAE-L2: a penalty on the squares of the decoder's kernels, too."""

    name: ClassVar[str] = "rae-l2"
    title: ClassVar[str] = "regularised autoencoder, kernels of the decoder"
    default_weights: ClassVar[Mapping[str, float]] = {"latent_l2": 1e-2, "kernel_l2": 1e-3}

    def penalties(self) -> dict[str, Penalty]:
        """The mean square of the latent vectors, and the sum of squares of the decoder's kernels."""
        return {**super().penalties(), "kernel_l2": kernel_l2_penalty}


@dataclass(frozen=True)
class RAEGP(RAE):
    """RAE-GP: a penalty on the gradient of the decoder, too."""

    name: ClassVar[str] = "rae-gp"
    title: ClassVar[str] = "regularised autoencoder, gradient penalty"
    default_weights: ClassVar[Mapping[str, float]] = {"latent_l2": 1e-2, "gradient_penalty": 1e-2}

    gradient_of: GradientOf = "output"
    """What is kept flat: the decoder's summed squares (the authors' code), or its whole derivative (the formula in the
    paper, many times slower)."""

    def penalties(self) -> dict[str, Penalty]:
        """The mean square of the latent vectors, and the gradient penalty."""
        return {**super().penalties(), "gradient_penalty": decoder_gradient_penalty(self.gradient_of)}


@dataclass(frozen=True)
class RAESN(RAE):
    """RAE-SN: every layer of the decoder is divided by its largest singular value."""

    name: ClassVar[str] = "rae-sn"
    title: ClassVar[str] = "regularised autoencoder, spectral normalisation"
    spectral_norm: ClassVar[Literal["none", "decoder"]] = "decoder"
