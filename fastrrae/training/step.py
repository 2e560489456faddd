"""One optimiser step as one compiled function of plain arrays."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax import Array
from jax.typing import ArrayLike

from ..models import Autoencoder
from ..objectives import Objective


class TrainState(NamedTuple):
    """Everything that a step changes."""

    variables: nnx.State  # parameters, optimiser moments, random streams
    step: Array  # () int32, steps taken
    diverged_at: Array  # () int32, the first step with a loss or gradient that was not finite; 0 while there is none


Metrics = dict[str, Array]
Step = Callable[[TrainState, ArrayLike], tuple[TrainState, Metrics]]


def start_training(
    model: Autoencoder, transformation: optax.GradientTransformation, objective: Objective
) -> tuple[TrainState, Step]:
    """The initial state of training `model`, and the step `(state, batch) -> (state, metrics)` that advances it.

    The step donates its state: the one passed in must not be used again. `metrics` are scalars on the device: loss,
    reconstruction, kl and gradient_norm of this batch. `model` itself is left as it is; `finish_training` updates it.
    """
    model.train()
    optimiser = nnx.Optimizer(model, transformation, wrt=nnx.Param)
    graph, variables = nnx.split((model, optimiser))

    @partial(jax.jit, donate_argnums=0)
    def step(state: TrainState, x: ArrayLike) -> tuple[TrainState, Metrics]:
        model, optimiser = nnx.merge(graph, state.variables)

        def loss_function(model: Autoencoder) -> tuple[Array, Metrics]:
            return objective(jnp.asarray(x), model(jnp.asarray(x)))

        (loss, parts), gradients = nnx.value_and_grad(loss_function, has_aux=True)(model)
        optimiser.update(model, gradients)
        gradient_norm = optax.tree.norm(gradients)
        taken = state.step + 1
        sound = jnp.isfinite(loss) & jnp.isfinite(gradient_norm)
        diverged_at = jnp.where(sound | (state.diverged_at > 0), state.diverged_at, taken)
        metrics = {"loss": loss, **parts, "gradient_norm": gradient_norm}
        return TrainState(nnx.state((model, optimiser)), taken, diverged_at), metrics

    # A copy, so that donating the state cannot delete the parameters of the caller's model.
    return TrainState(jax.tree.map(jnp.copy, variables), jnp.zeros((), jnp.int32), jnp.zeros((), jnp.int32)), step


def finish_training(model: Autoencoder, state: TrainState) -> None:
    """Write the trained parameters and random streams of `state` back into `model`."""
    nnx.update(model, state.variables[0])
