"""The optimiser's update, shared by the devices that share a batch.

Each of N devices updates an N-th of every large weight, and holds the moments of that part alone: gradients are summed
and cut (a reduce-scatter), and the updated parts put together (an all-gather), which moves as many bytes as the sum of
whole gradients. Known as cross-replica weight-update sharding (Xu et al. 2020, arXiv:2004.13336) and as stage 1 of
ZeRO (Rajbhandari et al. 2020, arXiv:1910.02054).
"""

from collections.abc import Callable
from typing import Any, TypeVar

import jax
from flax import nnx
from jax.sharding import PartitionSpec

from ..models.svd_of_batch import DATA_AXIS
from .mesh import MODEL_AXIS
from .sharding import spec_of, spec_of_update

Tree = TypeVar("Tree")


def cut_for_update(tree: Tree) -> Tree:
    """Gradients or parameters inside a step, each device with the part that it updates.

    Without a mesh, or where one device has the whole batch, they stay as they are.
    """
    return _laid_out(tree, spec_of_update)


def apply_gradient(
    optimiser: nnx.Optimizer, model: nnx.Module, gradient: nnx.State, *, sharded: bool, **values: Any
) -> None:
    """Update parameters and moments in place, each device its part if `sharded`; `values` are for the optimiser."""
    if not sharded:
        optimiser.update(model, gradient, **values)
        return
    nnx.update(model, cut_for_update(nnx.state(model, optimiser.wrt)))
    optimiser.update(model, gradient, **values)
    # The sum of weight and update is in parts, and gathered: without the first line, XLA may gather the update instead.
    updated = cut_for_update(nnx.state(model, optimiser.wrt))
    nnx.update(model, _laid_out(updated, lambda shape, model_devices, _: spec_of(shape, model_devices)))


def _laid_out(tree: Tree, spec: Callable[[tuple[int, ...], int, int], PartitionSpec]) -> Tree:
    mesh = jax.sharding.get_abstract_mesh()
    model, data = mesh.shape.get(MODEL_AXIS, 1), mesh.shape.get(DATA_AXIS, 1)
    if data == 1:
        return tree
    return jax.tree.map(lambda leaf: jax.lax.with_sharding_constraint(leaf, spec(leaf.shape, model, data)), tree)
