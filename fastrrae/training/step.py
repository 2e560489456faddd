"""One optimiser step as one compiled function of plain arrays."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax import Array, lax
from jax.sharding import Mesh
from jax.typing import ArrayLike, DTypeLike

from ..data import Normalisation
from ..data.distortion import Distortion
from ..data.flip import Flip
from ..data.strings import derived_by
from ..models import Autoencoder, Latent, StepHook
from ..models.separate_update import SeparateUpdate, StepBatch
from ..objectives import make_objective
from ..objectives.objective import Objective, ReconstructionLoss
from ..objectives.rule_cross_entropy import rule_cross_entropy
from ..run_config import RunConfig
from .forward import Forward, make_forward
from .mesh import is_one_slice
from .optimiser import make_optimiser
from .own_parts import OwnParts
from .separate_updates import make_optimiser_of, take, trained_by_loss
from .sharded_state import apply_gradient, gather_weights, in_parts
from .sharding import batch_sharding, everywhere, fetch, place, state_shardings
from .weight_average import advance_average, averaged_part, with_average


class TrainState(NamedTuple):
    """Everything that a step changes."""

    variables: nnx.State  # parameters, optimiser moments, random streams
    step: Array  # () int32, steps taken
    diverged_at: Array  # () int32, the first step with a loss or gradient that was not finite; 0 while there is none
    hook: Any = None  # the state of the model's step hook, where it has one
    average: Any = None  # the moving average of the model's weights, where one is kept


Metrics = dict[str, Array]
Step = Callable[[TrainState, ArrayLike], tuple[TrainState, Metrics]]


@dataclass(frozen=True)
class StepOptions:
    """What a training step consists of, apart from the model.

    Attributes:
        optimiser: the optax optimiser.
        objective: what is minimised, see `make_objective`.
        forward: how the model is run.
        accumulate: micro-batches that a batch is cut into, one after the other; the step takes the mean of their
            gradients. Memory is that of a micro-batch, and so is the latent matrix whose rank is reduced.
        sample_shape: the shape of a sample, for batches that hold them flat; by default they come in that shape.
        normalisation: the normalisation of batches that hold raw values.
        distortion: what happens to images before they are encoded; they are reconstructed as they were.
        flip: random reflections of images, which are then reconstructed as they are seen.
        hook: what else happens within every step.
        ema_decay: that of the moving average of the weights, see `weight_average`; 0: none is kept.
        updates: updates of parts of the model by their own losses, in every step after the update by the objective.
        shard_state: whether devices that share a batch also share the state, see `sharded_state`.
        network_dtype: the type in which shared weights of encoder and decoder are exchanged, by default their own;
            bfloat16 where the forward pass casts them to it anyway.
    """

    optimiser: optax.GradientTransformation
    objective: Objective
    forward: Forward = field(default_factory=make_forward)
    accumulate: int = 1
    sample_shape: tuple[int, ...] | None = None
    normalisation: Normalisation | None = None
    distortion: Distortion | None = None
    flip: Flip | None = None
    hook: StepHook | None = None
    ema_decay: float = 0.0
    updates: Sequence[SeparateUpdate] = ()
    shard_state: bool = True
    network_dtype: DTypeLike | None = None


def step_options(
    config: RunConfig,
    sample_shape: tuple[int, ...],
    normalisation: Normalisation | None,
    parts: OwnParts | None = None,
) -> StepOptions:
    """The step of a resolved configuration: training and planning ask here, so that they mean the same step."""
    parts = parts or OwnParts()
    training, weights = config.training, config.objective.weights
    steps = training.steps or 1
    penalties = {**config.model.penalties(), **parts.penalties}
    replaced = parts.replaces_bottleneck
    return StepOptions(
        optimiser=make_optimiser(training, steps, parts.optimiser),
        objective=make_objective(
            {name: penalties[name] for name in weights},
            weights,
            parts.reconstruction or _reconstruction_loss(config),  # pyright: ignore[reportArgumentType]
        ),
        forward=make_forward(
            bfloat16=training.precision == "bfloat16", remat=training.remat, draws=config.objective.noise_draws
        ),
        accumulate=training.accumulate,
        sample_shape=sample_shape,
        normalisation=normalisation,
        distortion=Distortion(training.distort, training.seed) if training.distort else None,
        flip=Flip(training.seed) if training.flip else None,
        hook=None if replaced else config.model.step_hook(steps),
        ema_decay=training.ema_decay,
        updates=() if replaced else config.model.separate_updates(steps),
        shard_state=config.sharding.shard_state,
        network_dtype=jnp.bfloat16 if training.precision == "bfloat16" else None,
    )


def _reconstruction_loss(config: RunConfig) -> str | ReconstructionLoss:
    """The name of a loss, or that of strings, which depends on their grammar."""
    grammar = derived_by(config.data)
    return config.objective.reconstruction if grammar is None else rule_cross_entropy(grammar)


def start_training(model: Autoencoder, options: StepOptions, *, mesh: Mesh | None = None) -> tuple[TrainState, Step]:
    """The initial state of training `model`, and the step `(state, batch) -> (state, metrics)` that advances it.

    Args:
        model: left as it is; `finish_training` updates it.
        options: what a step consists of.
        mesh: devices that share the batch and perhaps the large weights, see `make_mesh`; the default device if absent.

    The step donates its state: the one passed in must not be used again. `metrics` are scalars on the devices: loss,
    reconstruction, each penalty and separate update by name, and gradient_norm of this batch.
    """
    if mesh is None:
        state, step = describe_step(model, options)
        # A copy, so that donating the state cannot delete the parameters of the caller's model.
        return jax.tree.map(jnp.copy, state), jax.jit(step, donate_argnums=0)
    options = options_on(mesh, options)
    state, step = describe_step(model, options)
    shardings = state_shardings(state, mesh, shard_state=options.shard_state)
    return place(state, shardings), jit_on_mesh(step, shardings, mesh)


def options_on(mesh: Mesh, options: StepOptions) -> StepOptions:
    """The options as they are on a mesh: several slices keep the state whole.

    Their network is slow, and weights would be gathered over it.
    """
    return replace(options, shard_state=options.shard_state and is_one_slice(mesh))


def jit_on_mesh(step: Step, shardings: Any, mesh: Mesh) -> Any:
    """`step` compiled for a mesh, on which states keep the layout `shardings`; to be traced within the mesh."""
    return jax.jit(
        step,
        donate_argnums=0,
        in_shardings=(shardings, batch_sharding(mesh)),
        out_shardings=(shardings, everywhere(mesh)),
    )


def describe_step(model: Autoencoder, options: StepOptions) -> tuple[TrainState, Step]:
    """The initial state, sharing the arrays of `model`, and the step as a function that has not been compiled."""
    model.train()
    wrt = trained_by_loss(options.updates)
    optimiser = nnx.Optimizer(model, optax.with_extra_args_support(options.optimiser), wrt=wrt)
    others = [make_optimiser_of(model, update) for update in options.updates]
    graph, variables = nnx.split((model, optimiser, *others))
    hook = options.hook

    def step(state: TrainState, batch: ArrayLike) -> tuple[TrainState, Metrics]:
        """Take one optimiser step on a batch."""
        model, optimiser, *others = nnx.merge(graph, state.variables)
        parts = nnx.state(model, nnx.Param)
        if options.shard_state:
            gather_weights(model, options.network_dtype)
        with jax.named_scope("input"):
            x = jnp.asarray(batch)
            if options.sample_shape is not None:
                # Rearranged raw: without the barrier, a TPU would normalise first, and move four times as much.
                x = lax.optimization_barrier(x.reshape(-1, *options.sample_shape))
            x = _normalised(options.normalisation, x)
            if options.flip is not None:
                x = options.flip(x, state.step)
        seen = x if options.distortion is None else options.distortion(x, state.step)
        gradient, metrics, latent = _gradient(options, model, seen, x)
        # optax relies on the promotion, whatever the user has set
        with jax.named_scope("optimiser"), jax.numpy_dtype_promotion("standard"):
            apply_gradient(optimiser, model, parts, gradient, value=metrics["loss"])
        separate: Metrics = {}
        if options.updates:
            assert latent is not None  # `resolve_config` refuses micro-batches
            of_step = StepBatch(lax.stop_gradient(latent), _reconstruct(options, seen, x), state.step)
            for update, own in zip(options.updates, others, strict=True):
                separate[update.name] = take(update, model, own, of_step, options.shard_state)
            metrics |= separate
        hook_state = state.hook
        if hook is not None:
            hook_state, more = hook.advance(model, optimiser, hook_state, metrics["loss"])
            metrics |= more
        gradient_norm = optax.tree.norm(gradient)
        taken = state.step + 1
        average = state.average
        if average is not None:
            average = advance_average(average, model, taken, options.ema_decay)
        sound = jnp.isfinite(gradient_norm)
        for loss in (metrics["loss"], *separate.values()):
            sound &= jnp.isfinite(loss)
        diverged_at = jnp.where(sound | (state.diverged_at > 0), state.diverged_at, taken)
        after = TrainState(nnx.state((model, optimiser, *others)), taken, diverged_at, hook_state, average)
        return after, metrics | {"gradient_norm": gradient_norm}

    zero = jnp.zeros((), jnp.int32)
    of_hook = None if hook is None else hook.start(model, optimiser)
    return TrainState(variables, zero, zero, of_hook, averaged_part(model) if options.ema_decay else None), step


def _normalised(normalisation: Normalisation | None, batch: Array) -> Array:
    return batch if normalisation is None else normalisation.apply_on_device(batch)


def _reconstruct(options: StepOptions, seen: Array, wanted: Array) -> Callable[[Autoencoder], tuple[Array, Latent]]:
    def reconstruct(model: Autoencoder) -> tuple[Array, Latent]:
        output = options.forward(model, seen)
        return options.objective(model, wanted, output)[1]["reconstruction"], output.latent

    return reconstruct


def _gradient(
    options: StepOptions, model: Autoencoder, seen: Array, wanted: Array
) -> tuple[nnx.State, Metrics, Latent | None]:
    """Gradient, metrics and latent vectors of a batch: the model sees `seen` and is to return `wanted`.

    Latent vectors are not kept of a batch that is cut into micro-batches.
    """

    def loss_function(model: Autoencoder, seen: Array, wanted: Array) -> tuple[Array, tuple[Metrics, Latent]]:
        output = options.forward(model, seen)
        with jax.named_scope("objective"):
            loss, terms = options.objective(model, wanted, output)
        return loss, (terms, output.latent)

    wrt = nnx.DiffState(0, trained_by_loss(options.updates))
    lay_out = in_parts if options.shard_state else lambda gradient: gradient

    def of_batch(model: Autoencoder, seen: Array, wanted: Array) -> tuple[nnx.State, Metrics, Latent]:
        of_loss = nnx.value_and_grad(loss_function, argnums=wrt, has_aux=True)
        (loss, (terms, latent)), gradient = of_loss(model, seen, wanted)
        return lay_out(gradient), {"loss": loss, **terms}, latent

    def of_part(model: Autoencoder, seen: Array, wanted: Array) -> tuple[nnx.State, Metrics]:
        return of_batch(model, seen, wanted)[:2]

    if options.accumulate == 1:
        return of_batch(model, seen, wanted)
    return *_mean_over_micro_batches(of_part, model, (seen, wanted), options.accumulate, lay_out), None


def _mean_over_micro_batches(
    gradients: Callable[[Autoencoder, Array, Array], tuple[nnx.State, Metrics]],
    model: Autoencoder,
    pair: tuple[Array, Array],
    count: int,
    lay_out: Callable[[nnx.State], nnx.State],
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
    start = (rest, lay_out(jax.tree.map(jnp.zeros_like, parameters)))
    (rest, total), metrics = jax.lax.scan(micro_step, start, parts)
    nnx.update(model, rest)
    return jax.tree.map(lambda g: g / count, total), jax.tree.map(jnp.mean, metrics)


def finish_training(model: Autoencoder, state: TrainState, hook: StepHook | None = None) -> None:
    """Write the trained parameters, or their averages, and random streams of `state` back into `model`."""
    variables = state.variables if hook is None else hook.finish(state.variables, state.hook)
    nnx.update(model, fetch(with_average(variables[0], state.average)))
