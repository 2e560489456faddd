"""The VAE with a normalising flow as its prior (Chen et al. 2017; the flow is that of Durkan et al. 2019)."""

from dataclasses import dataclass
from typing import ClassVar

from flax import nnx

from ..config_fields import PositiveInt
from .bottleneck import Bottleneck
from .flows.flow import LAYERS, WIDTH, NormalisingFlow
from .one_draw_vae import OneDrawBottleneck, OneDrawVAE


@dataclass(frozen=True)
class FlowVAE(OneDrawVAE):
    """The VAE whose prior is a normalising flow, trained with it."""

    name: ClassVar[str] = "flow-vae"
    title: ClassVar[str] = "VAE, normalising flow as prior"

    flow_layers: PositiveInt = LAYERS
    """Spline couplings of the flow."""
    flow_width: PositiveInt = WIDTH
    """Units of the hidden layers of its networks."""

    def bottleneck(self, rngs: nnx.Rngs) -> Bottleneck:
        """A Gaussian for each sample, and the flow."""
        prior = NormalisingFlow(self.rank, layers=self.flow_layers, width=self.flow_width, rngs=rngs)
        return OneDrawBottleneck(self.rank, self.mean, prior, bounded=self.bounded_variance, rngs=rngs)
