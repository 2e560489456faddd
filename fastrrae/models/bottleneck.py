"""What lies between encoder and decoder: the one axis along which the models of the family differ.

Samples are rows. A bottleneck turns the encoder's latent matrix `z` (batch, latent_size) into the one that the decoder
gets, and describes every sample by `rank` coefficients. In training mode it may use the whole batch and noise; in
inference mode (`model.eval()`) each sample is treated alone and without noise.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol, runtime_checkable

from flax import nnx
from jax import Array
from jaxtyping import Float

from .priors import Density


class Latent(NamedTuple):
    """What a bottleneck makes of a batch."""

    z: Float[Array, "batch latent"]  # for the decoder
    mean: Float[Array, "batch rank"]  # the coefficients, or the mean of their distribution
    logvar: Float[Array, "batch rank"] | None = None  # the logarithm of their variance, of variational models
    encoded: Float[Array, "batch latent"] | None = None  # what the encoder gave, where a penalty is on it
    # log q(z | x) of the draw `z`, of models whose KL term is taken at that draw.
    log_prob: Float[Array, " batch"] | None = None


class Bottleneck(Protocol):
    """What `Autoencoder` needs of a bottleneck. Any `nnx.Module` with these will do."""

    latent_size: int  # what the encoder gives and the decoder takes
    rank: int  # how many coefficients describe a sample

    @property
    def prior(self) -> Density | None:
        """The distribution that training compares coefficients with, to draw from; None where there is none."""
        ...

    def __call__(self, z: Array) -> Latent:
        """Process a batch by the current mode, training or inference."""
        ...

    def coefficients(self, z: Array) -> Array:
        """(batch, latent_size) -> (batch, rank), at inference."""
        ...

    def expand(self, coefficients: Array) -> Array:
        """(batch, rank) -> (batch, latent_size), what the decoder gets for these coefficients at inference."""
        ...


@runtime_checkable
class PriorOfEncoder(Protocol):
    """A bottleneck whose prior depends on the encoder; its own `prior` is None."""

    def prior_by(self, encode: Callable[[Array], Array]) -> Density:
        """The prior, for the encoder `encode`: (batch, *sample_shape) -> (batch, latent_size)."""
        ...


class Identity(nnx.Module):
    """No bottleneck besides the latent size: the coefficients are the latent vector."""

    def __init__(self, rank: int, prior: Density | None = None):
        self.latent_size = self.rank = rank
        self.prior = prior

    def __call__(self, z: Array) -> Latent:
        return Latent(z, z)

    def coefficients(self, z: Array) -> Array:
        """The latent vectors, unchanged."""
        return z

    def expand(self, coefficients: Array) -> Array:
        """The coefficients, unchanged."""
        return coefficients
