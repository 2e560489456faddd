"""Random rows: of length one, without a pattern, and the same in every precision and on every part of an axis."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, PartitionSpec

from fastrrae_kernels.random_rows import random_rows


@pytest.mark.parametrize(("k", "q"), [(4, 1000), (64, 4096)])
def test_rows_are_nearly_orthonormal_and_a_block_of_them_is_well_conditioned(k, q):
    rows = np.asarray(random_rows((k, q), jnp.float32), float)
    gram = rows @ rows.T
    assert np.abs(gram - np.eye(k)).max() < 5 / q**0.5
    assert np.linalg.cond(rows[:, : 2 * k]) < 50
    assert abs(rows.mean()) < 5 / (k * q**2) ** 0.5
    assert len(np.unique(rows)) > 0.98 * k * q


def test_seeds_of_any_size_give_other_rows():
    rows = [np.asarray(random_rows((4, 500), jnp.float32, seed=seed)) for seed in (0, 1, 2**31, -1, 10**12)]
    for i, first in enumerate(rows):
        for second in rows[:i]:
            assert np.abs(first @ second.T).max() < 0.3


def test_precision_and_64_bit_types_do_not_change_them():
    narrow = np.asarray(random_rows((3, 50), jnp.float32))
    with jax.enable_x64(True):
        wide = np.asarray(random_rows((3, 50), jnp.float64))
        narrow_again = np.asarray(random_rows((3, 50), jnp.float32))
    np.testing.assert_array_equal(narrow, narrow_again)
    np.testing.assert_allclose(narrow, wide, rtol=1e-6)
    assert wide.dtype == np.float64


def test_devices_hold_parts_of_the_same_rows():
    devices = len(jax.devices())
    mesh = jax.make_mesh((devices,), ("data",), axis_types=(AxisType.Auto,))
    parts = jax.shard_map(
        lambda: random_rows((3, 7), jnp.float32, axis_name="data"),
        mesh=mesh,
        in_specs=(),
        out_specs=PartitionSpec(None, "data"),
    )
    np.testing.assert_allclose(jax.jit(parts)(), random_rows((3, 7 * devices), jnp.float32), rtol=1e-6)
