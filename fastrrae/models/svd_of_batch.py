"""The SVD of a whole batch, wherever its rows are.

Under `jax.set_mesh(mesh)`, a batch is sharded by rows over the mesh axis named `data`. XLA would gather the latent
matrix to decompose it; here the devices sum their parts of its Gram matrix instead (`axis_name` of `fastrrae_kernels`).
"""

from collections.abc import Callable
from typing import Any

import jax
from jax import Array
from jax.sharding import PartitionSpec

from fastrrae_kernels import Tracked, TrackedResults, TruncatedSVD, low_rank_and_svd, tracked_low_rank_and_svd

DATA_AXIS = "data"
SCOPE = "svd_of_batch"  # its name in compiled programs and profiles

ROWS: Any = PartitionSpec(DATA_AXIS)
EVERYWHERE: Any = PartitionSpec()
FACTORS: Any = TruncatedSVD(ROWS, EVERYWHERE, EVERYWHERE)


def low_rank_and_svd_of_batch(z: Array, rank: int, active_rank: Array | None = None) -> tuple[Array, TruncatedSVD]:
    """`low_rank_and_svd` of the latent matrix `z` (batch, latent_size) of the global batch.

    With no mesh, or one device along its data axis, `z` is the global batch. Inside a `shard_map` over that axis, it is
    this device's rows.
    """

    def decompose(axis_name: str | None, z: Array, active_rank: Array | None) -> tuple[Array, TruncatedSVD]:
        return low_rank_and_svd(z, rank, axis_name=axis_name, active_rank=active_rank)

    return _of_batch(decompose, (ROWS, FACTORS), z, active_rank)


def tracked_low_rank_and_svd_of_batch(
    z: Array, rank: int, basis: Array, method: Tracked, active_rank: Array | None = None
) -> TrackedResults:
    """`tracked_low_rank_and_svd` of the same, from a basis (j, latent_size) that all devices know."""

    def decompose(axis_name: str | None, z: Array, basis: Array, active_rank: Array | None) -> TrackedResults:
        return tracked_low_rank_and_svd(z, rank, basis, method=method, axis_name=axis_name, active_rank=active_rank)

    results = TrackedResults(ROWS, FACTORS, EVERYWHERE, EVERYWHERE)
    return _of_batch(decompose, results, z, basis, active_rank)


def _of_batch(decompose: Callable[..., Any], results: Any, z: Array, *everywhere: Array | None) -> Any:
    """`decompose(axis_name, z, *everywhere)`, whose results are laid out as `results` says."""
    with jax.named_scope(SCOPE):
        mesh = jax.sharding.get_abstract_mesh()
        if mesh.empty or mesh.shape.get(DATA_AXIS, 1) == 1:
            return decompose(None, z, *everywhere)
        if DATA_AXIS in mesh.manual_axes:
            return decompose(DATA_AXIS, z, *everywhere)

        def on_shards(z: Array, *everywhere: Array | None) -> Any:
            return decompose(DATA_AXIS, z, *everywhere)

        arguments = (ROWS, *(EVERYWHERE for _ in everywhere))
        return jax.shard_map(on_shards, in_specs=arguments, out_specs=results)(z, *everywhere)
