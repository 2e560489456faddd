"""Parameters and moments shared by the devices that share a batch, and so the optimiser's update of them.

Of every large weight, each of N devices keeps an N-th, with its moments, and updates it. A step gathers the weights
(an all-gather), and sums and cuts their gradients (a reduce-scatter), which together moves as many bytes as the sum of
whole gradients. Known as cross-replica weight-update sharding (Xu et al. 2020, arXiv:2004.13336), ZeRO (Rajbhandari et
al. 2020, arXiv:1910.02054) and fully sharded data parallelism; here the weights are gathered once a step.
"""

from typing import TypeVar

import jax
from flax import nnx
from jax import Array
from jax.lax import with_sharding_constraint
from jax.sharding import PartitionSpec
from jax.typing import DTypeLike

from ..models.svd_of_batch import DATA_AXIS
from .mesh import MODEL_AXIS
from .sharding import spec_of, spec_of_part

Tree = TypeVar("Tree")


def in_parts(tree: Tree) -> Tree:
    """Gradients inside a step, each device with the part that it keeps.

    Without a mesh, or where one device has the whole batch, they stay as they are.
    """

    def cut(leaf: Array) -> Array:
        part, whole = _specs(leaf)
        return leaf if part == whole else with_sharding_constraint(leaf, part)

    return jax.tree.map(cut, tree)


def gathered(tree: Tree, dtype: DTypeLike | None = None) -> Tree:
    """Parameters inside a step as the model uses them, exchanged in `dtype`, by default their own.

    Where devices share weights apart from the batch (`sharding.model_devices`), those are still shared.
    """

    def gather(leaf: Array) -> Array:
        part, whole = _specs(leaf)
        if part == whole:
            return leaf
        return with_sharding_constraint(leaf.astype(dtype or leaf.dtype), whole).astype(leaf.dtype)

    return jax.tree.map(gather, tree)


def gather_weights(model: nnx.Module, network_dtype: DTypeLike | None = None) -> None:
    """Give `model` its whole parameters, inside a step; those of encoder and decoder are exchanged in a type."""
    parts = nnx.state(model, nnx.Param)
    networks = {"encoder", "decoder"}
    nnx.update(
        model,
        nnx.State({name: gathered(part, network_dtype if name in networks else None) for name, part in parts.items()}),
    )


def apply_gradient(
    optimiser: nnx.Optimizer, model: nnx.Module, parts: nnx.State, gradient: nnx.State, **values: Array
) -> None:
    """Update in place the parameters `parts`, whatever `model` holds of them; `values` are for the optimiser."""
    nnx.update(model, parts)
    optimiser.update(model, gradient, **values)


def _specs(leaf: Array) -> tuple[PartitionSpec, PartitionSpec]:
    """How an array lies between steps, and as a model uses it."""
    mesh = jax.sharding.get_abstract_mesh()
    model, data = mesh.shape.get(MODEL_AXIS, 1), mesh.shape.get(DATA_AXIS, 1)
    return spec_of_part(leaf.shape, model, data), spec_of(leaf.shape, model)
