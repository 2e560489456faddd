"""The VAE whose posterior is an inverse autoregressive flow (Kingma et al. 2016)."""

from dataclasses import dataclass
from typing import ClassVar

from flax import nnx
from jax import Array

from ..config_fields import PositiveInt
from .bottleneck import Bottleneck, Latent
from .flows.inverse_autoregressive import InverseAutoregressiveStep
from .gaussian_posterior import Mean
from .one_draw_vae import OneDrawVAE
from .priors import diagonal_normal_log_prob
from .vae import VariationalBottleneck


class InverseAutoregressiveBottleneck(VariationalBottleneck):
    """A draw from a Gaussian of the sample, passed through inverse autoregressive steps that see the encoder's output.

    Coefficients are what the steps make of the Gaussian's mean; the prior is the standard normal.

    Args:
        rank: how many coefficients describe a sample.
        mean: the map from the latent vector to the Gaussian's means.
        steps: how many steps.
        width: units of their hidden layers.
        bounded: whether variances stay below 1, see `GaussianPosterior`.
        rngs: random streams of the layers and the noise.
    """

    def __init__(self, rank: int, mean: Mean, steps: int, width: int, *, bounded: bool = False, rngs: nnx.Rngs):
        super().__init__(rank, mean, bounded=bounded, rngs=rngs)
        self.steps = nnx.List(
            InverseAutoregressiveStep(rank, rank, width, reverse=step % 2 == 1, rngs=rngs) for step in range(steps)
        )

    def __call__(self, z: Array) -> Latent:
        start = super().__call__(z)
        assert start.logvar is not None
        draw, log_determinant = self._pass_through(start.z, z)
        log_prob = diagonal_normal_log_prob(start.z, start.mean, start.logvar) - log_determinant
        # In training nothing asks for the mean, and it need not be computed; at inference there is no noise.
        return Latent(draw, draw, log_prob=log_prob)

    def coefficients(self, z: Array) -> Array:
        """The means of the Gaussians, passed through all steps."""
        return self._pass_through(self.posterior.mean(z), z)[0]

    def _pass_through(self, draw: Array, context: Array) -> tuple[Array, Array]:
        log_determinant = 0.0
        for step in self.steps:
            draw, added = step(draw, context)
            log_determinant = log_determinant + added
        return draw, log_determinant  # pyright: ignore[reportReturnType]


@dataclass(frozen=True)
class IAFVAE(OneDrawVAE):
    """The VAE with inverse autoregressive flow: its posterior need not be Gaussian."""

    name: ClassVar[str] = "iaf-vae"
    title: ClassVar[str] = "VAE, inverse autoregressive flow"

    flow_steps: PositiveInt = 2
    """Inverse autoregressive steps."""
    flow_width: PositiveInt = 64
    """Units of their hidden layers."""

    def bottleneck(self, rngs: nnx.Rngs) -> Bottleneck:
        """A Gaussian for each sample, passed through the steps."""
        return InverseAutoregressiveBottleneck(
            self.rank, self.mean, self.flow_steps, self.flow_width, bounded=self.bounded_variance, rngs=rngs
        )
