"""What is trained beside the autoencoder within every step: a part of the model, by a loss and an optimiser of its own.

The critic of an adversarial autoencoder is such a part. So is the encoder, where it answers to the critic at a rate of
its own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import optax
from jax import Array

from .autoencoder import Autoencoder
from .bottleneck import Latent


class StepBatch(NamedTuple):
    """What the loss of a separate update can use.

    Attributes:
        latent: the latent matrix of the batch, from the autoencoder's update of this step; a constant.
        reconstruct: `model -> (reconstruction loss, latent)` of the batch by the model as it is now, differentiable.
        step: () int32, steps taken before this one.
    """

    latent: Latent
    reconstruct: Callable[[Autoencoder], tuple[Array, Latent]]
    step: Array


@dataclass(frozen=True)
class SeparateUpdate:
    """An update of one part of a model, in every step after the autoencoder's own, on the same batch.

    Attributes:
        name: the name of its loss in `metrics.jsonl`.
        part: the path of the module or parameter that is trained, such as ("bottleneck", "critic").
        loss: `(model, batch) -> scalar`, minimised by that part; the others are constants.
        optimiser: an optax optimiser, with its learning rate. Its moments are in the checkpoints.
        repeats: updates in each step, each with fresh draws.
        shared: the loss of the autoencoder trains the part as well; else it leaves it alone.
    """

    name: str
    part: tuple[str, ...]
    loss: Callable[[Autoencoder, StepBatch], Array]
    optimiser: optax.GradientTransformation
    repeats: int = 1
    shared: bool = False
