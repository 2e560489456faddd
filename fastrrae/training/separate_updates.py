"""Updates of parts of a model by losses and optimisers of their own, inside the compiled step."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax import Array

from ..models import Autoencoder
from ..models.separate_update import SeparateUpdate, StepBatch
from .sharded_state import apply_gradient, gather_weights, gathered, in_parts

_Carry = tuple[nnx.State, nnx.State, nnx.State]  # what is trained, what is not a parameter, and moments


@dataclass(frozen=True)
class _Inside:
    """The filter of variables whose path begins with `part`."""

    part: tuple[str, ...]

    def __call__(self, path: tuple[Any, ...], value: Any) -> bool:
        return tuple(path[: len(self.part)]) == self.part


def trained_by_loss(updates: Sequence[SeparateUpdate]) -> Any:
    """The filter of the parameters that the loss of the autoencoder trains: all but those with an update of their own.

    A part may be trained by both: an update that is `shared` takes nothing away.
    """
    apart = [nnx.Not(_Inside(update.part)) for update in updates if not update.shared]
    return nnx.All(nnx.Param, *apart) if apart else nnx.Param


def trained_by(update: SeparateUpdate) -> Any:
    """The filter of the parameters that an update trains."""
    return nnx.All(nnx.Param, _Inside(update.part))


def make_optimiser_of(model: Autoencoder, update: SeparateUpdate) -> nnx.Optimizer:
    """The optimiser of an update, with its moments at the start."""
    if not jax.tree.leaves(nnx.state(model, trained_by(update))):
        part = ".".join(update.part)
        raise ValueError(f"the update {update.name} trains {part}, and the model has no parameters there")
    return nnx.Optimizer(model, optax.with_extra_args_support(update.optimiser), wrt=trained_by(update))


def take(
    update: SeparateUpdate, model: Autoencoder, optimiser: nnx.Optimizer, batch: StepBatch, sharded: bool = False
) -> Array:
    """Update the part in place, `repeats` times, each device its share if `sharded`; the last loss is returned."""
    if update.repeats == 1:
        return _take_one(update, model, optimiser, batch, sharded)
    own = trained_by(update)
    graph, trained, constant, rest = nnx.split(model, own, nnx.Param, ...)
    constant = gathered(constant) if sharded else constant
    optimiser_graph, moments = nnx.split(optimiser)

    def once(carry: _Carry, _: None) -> tuple[_Carry, Array]:
        trained, rest, moments = carry
        fresh = jax.tree.map(jnp.asarray, constant)  # variables of this trace; flax refuses those of the outer one
        model, optimiser = nnx.merge(graph, trained, fresh, rest), nnx.merge(optimiser_graph, moments)
        loss = _take_one(update, model, optimiser, batch, sharded)
        after = nnx.state(model, own, nnx.Param, ...)
        return (after[0], after[2], nnx.state(optimiser)), loss

    start: _Carry = (trained, rest, moments)
    (trained, rest, moments), losses = jax.lax.scan(once, start, length=update.repeats)
    nnx.update(model, trained, rest)
    nnx.update(optimiser, moments)
    return losses[-1]


def _take_one(
    update: SeparateUpdate, model: Autoencoder, optimiser: nnx.Optimizer, batch: StepBatch, sharded: bool
) -> Array:
    def loss_function(model: Autoencoder) -> Array:
        return update.loss(model, batch)

    parts = nnx.state(model, nnx.Param)
    if sharded:
        gather_weights(model)
    loss, gradient = nnx.value_and_grad(loss_function, argnums=nnx.DiffState(0, trained_by(update)))(model)
    with jax.numpy_dtype_promotion("standard"):  # optax relies on it, whatever the user has set
        apply_gradient(optimiser, model, parts, in_parts(gradient) if sharded else gradient)
    return loss
