"""An exponential moving average of the weights: the model that is validated, evaluated and kept.

The decay of step t is at most (t - 1) / (t + 8): the weights before the first step do not count, and early in training
the average follows the weights closely.
"""

import jax.numpy as jnp
import optax
from flax import nnx
from jax import Array

from ..models import Autoencoder

# Statistics of batch normalisation belong to the weights that they were measured with.
_AVERAGED = nnx.Any(nnx.Param, nnx.BatchStat)
_RISE = 9  # steps in which the limit of the decay goes from 0 to a half


def averaged_part(model: Autoencoder) -> nnx.State:
    """The variables of a model that are averaged, as they are now."""
    return nnx.state(model, _AVERAGED)


def advance_average(average: nnx.State, model: Autoencoder, taken: Array, decay: float) -> nnx.State:
    """The average after step number `taken`, which left the weights of `model`; each device averages what it keeps."""
    rate = 1 - jnp.minimum(decay, (taken - 1) / (taken - 1 + _RISE))
    return optax.incremental_update(averaged_part(model), average, rate)  # pyright: ignore[reportReturnType]


def with_average(variables: nnx.State, average: nnx.State | None) -> nnx.State:
    """A model's `variables` with the averages in place of the weights, if averages are kept."""
    return variables if average is None else nnx.merge_state(variables, average)


def with_weights_of(variables: nnx.State, other: nnx.State) -> nnx.State:
    """`variables`, but what is averaged as in `other`."""
    return nnx.merge_state(variables, nnx.filter_state(other, _AVERAGED))
