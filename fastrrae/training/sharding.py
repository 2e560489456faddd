"""Where the arrays of a run lie on its mesh: batches by rows, large weights along an axis, the rest everywhere.

Between steps, the devices that share a batch share the state as well, see `sharded_state`.
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from ..models.svd_of_batch import DATA_AXIS
from .mesh import MODEL_AXIS
from .state_arrays import from_raw, raw

# Arrays smaller than this are not worth a gather on every use: the time to start one outweighs the memory, and the
# time to update them (2 us on a TPU v5e, by Adam's seven passes over 256 KiB).
SHARDED_FROM = 2**16  # values


def spec_of(shape: tuple[int, ...], model_devices: int) -> PartitionSpec:
    """How an array of parameters or moments is cut: along its longest axis that divides, if it is large.

    The rule looks at the shape alone, so that a weight and its moments in the optimiser lie alike, and so that it holds
    for networks that a user brings.
    """
    fitting = [axis for axis, size in enumerate(shape) if size % model_devices == 0]
    if model_devices == 1 or int(np.prod(shape)) < SHARDED_FROM or not fitting:
        return PartitionSpec()
    axis = max(fitting, key=lambda axis: shape[axis])
    return PartitionSpec(*[None] * axis, MODEL_AXIS)


def spec_of_part(shape: tuple[int, ...], model_devices: int, data_devices: int) -> PartitionSpec:
    """How an array of the state is cut where the devices that share a batch share the state, see `sharded_state`.

    As for the model axis alone, and then over the data axis along the longest axis of a part that divides, if it is
    large.
    """
    own = spec_of(shape, model_devices)
    axes: list[Any] = [*own, *[None] * (len(shape) - len(own))]
    part = [size // (1 if name is None else model_devices) for size, name in zip(shape, axes, strict=True)]
    fitting = [axis for axis, size in enumerate(part) if size % data_devices == 0]
    if data_devices == 1 or int(np.prod(shape)) < SHARDED_FROM or not fitting:
        return own
    longest = max(fitting, key=lambda axis: part[axis])
    axes[longest] = DATA_AXIS if axes[longest] is None else (axes[longest], DATA_AXIS)
    last = max(axis for axis, name in enumerate(axes) if name is not None)
    return PartitionSpec(*axes[: last + 1])


def state_shardings(state: Any, mesh: Mesh, *, shard_state: bool) -> Any:
    """The sharding of every leaf of a training state, over the data axis as well with `shard_state`.

    Random keys lie everywhere.
    """
    model, data = mesh.shape[MODEL_AXIS], mesh.shape[DATA_AXIS] if shard_state else 1

    def sharding(leaf: Any) -> NamedSharding:
        key = jax.numpy.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        return NamedSharding(mesh, PartitionSpec() if key else spec_of_part(leaf.shape, model, data))

    return jax.tree.map(sharding, state)


def batch_sharding(mesh: Mesh) -> NamedSharding:
    """Rows over the data axis."""
    return NamedSharding(mesh, PartitionSpec(DATA_AXIS))


def everywhere(mesh: Mesh) -> NamedSharding:
    """A whole copy on every device."""
    return NamedSharding(mesh, PartitionSpec())


def place(state: Any, shardings: Any) -> Any:
    """Copies of arrays that every process holds, laid out as `shardings` say, without communication."""

    def laid_out(leaf: Any, sharding: NamedSharding) -> Any:
        values = np.array(raw(leaf))
        return from_raw(jax.make_array_from_callback(values.shape, sharding, values.__getitem__), leaf)

    return jax.tree.map(laid_out, state, shardings)


def place_as(state: Any, like: Any) -> Any:
    """Copies of arrays that every process holds, laid out as those of `like`."""
    return place(state, jax.tree.map(lambda leaf: leaf.sharding, like))


def batch_placer(mesh: Mesh) -> Callable[[np.ndarray], jax.Array]:
    """The function that makes a global batch of the parts that the processes have read: (batch, values of a sample).

    A TPU would give each pixel's three channels a line of 128 values, in memory and when they are rearranged. The step
    gives samples their shape back.
    """
    sharding = batch_sharding(mesh)
    return lambda part: jax.make_array_from_process_local_data(sharding, part.reshape(len(part), -1))


def whole_arrays(arrays: dict[str, jax.Array]) -> dict[str, np.ndarray]:
    """Whole copies of named arrays in the memory of every process; arrays that are cut over processes are gathered."""

    def whole(array: jax.Array) -> np.ndarray:
        if not (array.is_fully_addressable or array.is_fully_replicated):
            return np.asarray(multihost_utils.process_allgather(array, tiled=True))
        return np.array(array)  # the next step may overwrite the device's memory

    return {name: whole(arrays[name]) for name in sorted(arrays)}


def fetch(state: Any) -> Any:
    """The arrays of a state whole, on the default device of every process."""

    def whole(leaf: Any) -> Any:
        values = raw(leaf)
        if not (values.is_fully_addressable or values.is_fully_replicated):
            values = multihost_utils.process_allgather(values, tiled=True)
        return from_raw(np.asarray(values), leaf)

    return jax.tree.map(whole, state)
