"""One optimiser step as one compiled function of plain arrays."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax import Array
from jax.sharding import Mesh
from jax.typing import ArrayLike

from ..data import Normalisation
from ..data.distortion import Distortion
from ..models import Autoencoder
from ..objectives.objective import Objective
from .adaptive_rank import AdaptiveRank, RankSearch, accepted
from .forward import Forward, make_forward
from .sharding import batch_sharding, everywhere, fetch, place, state_shardings


class TrainState(NamedTuple):
    """Everything that a step changes."""

    variables: nnx.State  # parameters, optimiser moments, random streams
    step: Array  # () int32, steps taken
    diverged_at: Array  # () int32, the first step with a loss or gradient that was not finite; 0 while there is none
    search: RankSearch | None = None  # of a model whose rank is adaptive


Metrics = dict[str, Array]
Step = Callable[[TrainState, ArrayLike], tuple[TrainState, Metrics]]


def start_training(
    model: Autoencoder,
    transformation: optax.GradientTransformation,
    objective: Objective,
    *,
    mesh: Mesh | None = None,
    forward: Forward | None = None,
    accumulate: int = 1,
    normalisation: Normalisation | None = None,
    distort: Distortion | None = None,
    adaptive_rank: AdaptiveRank | None = None,
) -> tuple[TrainState, Step]:
    """The initial state of training `model`, and the step `(state, batch) -> (state, metrics)` that advances it.

    Args:
        model: left as it is; `finish_training` updates it.
        transformation: the optax optimiser.
        objective: what is minimised, see `make_objective`.
        mesh: devices that share the batch and perhaps the large weights, see `make_mesh`; the default device if absent.
        forward: how the model is run, by default `make_forward()`.
        accumulate: micro-batches that a batch is cut into, one after the other; the step takes the mean of their
            gradients. Memory is that of a micro-batch, and so is the latent matrix whose rank is reduced.
        normalisation: of batches that hold raw values.
        distort: what happens to images before they are encoded; they are reconstructed as they were.
        adaptive_rank: how to search for a lower rank, of a model whose bottleneck lets it change.

    The step donates its state: the one passed in must not be used again. `metrics` are scalars on the devices: loss,
    reconstruction, kl and gradient_norm of this batch.
    """
    state, step = describe_step(
        model,
        transformation,
        objective,
        forward=forward,
        accumulate=accumulate,
        normalisation=normalisation,
        distort=distort,
        adaptive_rank=adaptive_rank,
    )
    if mesh is None:
        # A copy, so that donating the state cannot delete the parameters of the caller's model.
        return jax.tree.map(jnp.copy, state), jax.jit(step, donate_argnums=0)
    return place(state, state_shardings(state, mesh)), jit_on_mesh(step, state, mesh)


def jit_on_mesh(step: Step, state: TrainState, mesh: Mesh) -> Any:
    """`step` compiled for a mesh, on which states like `state` keep their layout; to be traced within the mesh."""
    shardings = state_shardings(state, mesh)
    return jax.jit(
        step,
        donate_argnums=0,
        in_shardings=(shardings, batch_sharding(mesh)),
        out_shardings=(shardings, everywhere(mesh)),
    )


def describe_step(
    model: Autoencoder,
    transformation: optax.GradientTransformation,
    objective: Objective,
    *,
    forward: Forward | None = None,
    accumulate: int = 1,
    normalisation: Normalisation | None = None,
    distort: Distortion | None = None,
    adaptive_rank: AdaptiveRank | None = None,
) -> tuple[TrainState, Step]:
    """The initial state, sharing the arrays of `model`, and the step as a function that has not been compiled."""
    model.train()
    optimiser = nnx.Optimizer(model, optax.with_extra_args_support(transformation), wrt=nnx.Param)
    graph, variables = nnx.split((model, optimiser))
    run = forward or make_forward()

    def loss_function(model: Autoencoder, seen: Array, wanted: Array) -> tuple[Array, Metrics]:
        return objective(model, wanted, run(model, seen))

    def gradients(model: Autoencoder, seen: Array, wanted: Array) -> tuple[nnx.State, Metrics]:
        (loss, parts), gradient = nnx.value_and_grad(loss_function, has_aux=True)(model, seen, wanted)
        return gradient, {"loss": loss, **parts}

    def step(state: TrainState, batch: ArrayLike) -> tuple[TrainState, Metrics]:
        """Take one optimiser step on a batch."""
        model, optimiser = nnx.merge(graph, state.variables)
        x = jnp.asarray(batch) if normalisation is None else normalisation.apply_on_device(jnp.asarray(batch))
        seen = x if distort is None else distort(x, state.step)
        if accumulate == 1:
            gradient, metrics = gradients(model, seen, x)
        else:
            gradient, metrics = _mean_over_micro_batches(gradients, model, (seen, x), accumulate)
        optimiser.update(model, gradient, value=metrics["loss"])
        search = state.search
        if adaptive_rank is not None and search is not None:
            search = adaptive_rank.advance(model, optimiser, search, metrics["loss"])
            metrics["rank"] = search.rank
        gradient_norm = optax.tree.norm(gradient)
        taken = state.step + 1
        sound = jnp.isfinite(metrics["loss"]) & jnp.isfinite(gradient_norm)
        diverged_at = jnp.where(sound | (state.diverged_at > 0), state.diverged_at, taken)
        after = TrainState(nnx.state((model, optimiser)), taken, diverged_at, search)
        return after, metrics | {"gradient_norm": gradient_norm}

    search = None if adaptive_rank is None else adaptive_rank.start(model, optimiser)
    return TrainState(variables, jnp.zeros((), jnp.int32), jnp.zeros((), jnp.int32), search), step


def _mean_over_micro_batches(
    gradients: Callable[[Autoencoder, Array, Array], tuple[nnx.State, Metrics]],
    model: Autoencoder,
    pair: tuple[Array, Array],
    count: int,
) -> tuple[nnx.State, Metrics]:
    """Gradients and metrics of `count` equal parts of a batch, averaged; random streams move on from part to part."""
    graph, parameters, rest = nnx.split(model, nnx.Param, ...)

    def micro_step(
        carry: tuple[nnx.State, nnx.State], part: tuple[Array, Array]
    ) -> tuple[tuple[nnx.State, nnx.State], Metrics]:
        rest, total = carry
        fresh = jax.tree.map(jnp.asarray, parameters)  # variables of this trace; flax refuses those of the outer one
        model = nnx.merge(graph, fresh, rest)
        gradient, metrics = gradients(model, *part)
        return (nnx.state(model, nnx.Not(nnx.Param)), jax.tree.map(jnp.add, total, gradient)), metrics

    # Every count-th row makes a part: rows that are sharded over devices stay where they are.
    parts = jax.tree.map(lambda x: jnp.swapaxes(x.reshape(-1, count, *x.shape[1:]), 0, 1), pair)
    start = (rest, jax.tree.map(jnp.zeros_like, parameters))
    (rest, total), metrics = jax.lax.scan(micro_step, start, parts)
    nnx.update(model, rest)
    return jax.tree.map(lambda g: g / count, total), jax.tree.map(jnp.mean, metrics)


def finish_training(model: Autoencoder, state: TrainState) -> None:
    """Write the trained parameters and random streams of `state` back into `model`."""
    variables = state.variables if state.search is None else accepted(state.variables, state.search)
    nnx.update(model, fetch(variables[0]))
