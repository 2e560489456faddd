"""The SVD of a whole batch, wherever its rows are.

Under `jax.set_mesh(mesh)`, a batch is sharded by rows over the mesh axis named `data`. XLA would gather the latent
matrix to decompose it; here the devices sum their parts of its Gram matrix instead (`axis_name` of `fastrrae_kernels`).
"""

import jax
from jax import Array
from jax.sharding import PartitionSpec

from fastrrae_kernels import TruncatedSVD, low_rank_and_svd

DATA_AXIS = "data"
SCOPE = "svd_of_batch"  # its name in compiled programs and profiles


def low_rank_and_svd_of_batch(z: Array, rank: int, active_rank: Array | None = None) -> tuple[Array, TruncatedSVD]:
    """`low_rank_and_svd` of the latent matrix `z` (batch, latent_size) of the global batch.

    With no mesh, or one device along its data axis, `z` is the global batch. Inside a `shard_map` over that axis, it is
    this device's rows.
    """
    with jax.named_scope(SCOPE):
        return _low_rank_and_svd_of_batch(z, rank, active_rank)


def _low_rank_and_svd_of_batch(z: Array, rank: int, active_rank: Array | None) -> tuple[Array, TruncatedSVD]:
    mesh = jax.sharding.get_abstract_mesh()
    if mesh.empty or mesh.shape.get(DATA_AXIS, 1) == 1:
        return low_rank_and_svd(z, rank, active_rank=active_rank)

    def decompose(z: Array, active_rank: Array | None) -> tuple[Array, TruncatedSVD]:
        return low_rank_and_svd(z, rank, axis_name=DATA_AXIS, active_rank=active_rank)

    if DATA_AXIS in mesh.manual_axes:
        return decompose(z, active_rank)
    rows, everywhere = PartitionSpec(DATA_AXIS), PartitionSpec()
    factors = TruncatedSVD(rows, everywhere, everywhere)  # pyright: ignore[reportArgumentType]
    return jax.shard_map(decompose, in_specs=(rows, everywhere), out_specs=(rows, factors))(z, active_rank)
