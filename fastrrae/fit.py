"""Minimise a loss over the parameters of a small network: the training loop of everything but an autoencoder."""

import itertools
from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import Array

Loss = Callable[[Any, Any], Array]


def fit(
    network: nnx.Module,
    loss: Loss,
    optimiser: optax.GradientTransformation,
    batches: Iterable[Any],
    *,
    steps_per_call: int = 1,
    until: Callable[[], bool] | None = None,
) -> None:
    """Train the parameters (`nnx.Param`) of `network` in place, one step for each batch.

    Args:
        network: what is trained; its other variables stay as they are.
        loss: `(network, batch) -> ()`.
        optimiser: an optimiser of `optax`.
        batches: pytrees of NumPy arrays of one shape, whatever the loss takes.
        steps_per_call: how many batches are handed over at a time, and processed by one compiled program: more where a
            step takes no longer than a call does.
        until: asked after each call, when `network` has the parameters of that moment; True ends the training.

    Networks of one structure share a compiled program, where loss and optimiser are the same objects too (or equal).
    """
    graph, parameters, rest = nnx.split(network, nnx.Param, ...)
    leaves, structure = jax.tree.flatten(parameters)  # a list costs the least to hand over at each call
    run = _compiled_steps(graph, structure, loss, optimiser)
    # Copies, since the first call frees what it is given; of settled types, or the second call would compile again.
    leaves = [jnp.array(leaf, leaf.dtype) for leaf in leaves]
    moments = optimiser.init(leaves)
    stream = iter(batches)
    while group := list(itertools.islice(stream, steps_per_call)):
        leaves, moments = run(leaves, moments, rest, jax.tree.map(lambda *parts: np.stack(parts), *group))
        if until is not None:
            nnx.update(network, jax.tree.unflatten(structure, leaves))
            if until():
                return
    nnx.update(network, jax.tree.unflatten(structure, leaves))


@lru_cache(maxsize=8)
def _compiled_steps(graph: nnx.GraphDef, structure: Any, loss: Loss, optimiser: optax.GradientTransformation) -> Any:
    """The function of parameters, moments, other variables and stacked batches: new parameters and moments."""

    @partial(jax.jit, donate_argnums=(0, 1))
    def run(leaves: list[Array], moments: optax.OptState, rest: nnx.State, batches: Any) -> Any:
        def step(carry: tuple[list[Array], optax.OptState], batch: Any) -> tuple[Any, None]:
            leaves, moments = carry

            def loss_of(leaves: list[Array]) -> Array:
                return loss(nnx.merge(graph, jax.tree.unflatten(structure, leaves), rest), batch)

            updates, moments = optimiser.update(jax.grad(loss_of)(leaves), moments, leaves)
            return (optax.apply_updates(leaves, updates), moments), None

        return jax.lax.scan(step, (leaves, moments), batches)[0]

    return run
