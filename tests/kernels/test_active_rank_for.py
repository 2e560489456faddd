"""Truncation by a tolerance: a share of the largest value, a share of the energy, groups that stay whole."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fastrrae_kernels import active_rank_for, low_rank, specs, truncated_svd

S = jnp.array([4.0, 2.0, 2.0 - 1e-4, 1.0, 0.1, 0.0])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, 5),
        ({"rtol": 0.3}, 3),
        ({"rtol": 0.5}, 1),
        ({"energy": 0.6}, 1),
        ({"energy": 0.65}, 2),
        ({"energy": 0.65, "multiplet": 1e-3}, 3),
        ({"energy": 0.65, "multiplet": 1e-6}, 2),
        ({"energy": 0.6, "total": 40.0}, 4),
        ({"rtol": 0.02, "multiplet": 2.0}, 6),
    ],
)
def test_how_many(options, expected):
    for scale in (1.0, 1e-30, 1e30):
        scaled = options | ({"total": options["total"] * scale**2} if "total" in options and scale == 1 else {})
        if "total" not in options or scale == 1:
            assert int(active_rank_for(S * scale, **scaled)) == expected
    assert int(jax.jit(lambda s: active_rank_for(s, **options))(S)) == expected


def test_nothing_and_stacks():
    np.testing.assert_array_equal(active_rank_for(jnp.stack([S, 0 * S]), multiplet=0.1), [5, 0])


def test_within_one_program():
    a = jnp.asarray(specs.matrix_with_spectrum("tied", 12, 15), jnp.float32)

    @jax.jit
    def reduced(a):
        return low_rank(a, 8, active_rank=active_rank_for(truncated_svd(a, 8).s, rtol=0.4, multiplet=1e-3))

    np.testing.assert_allclose(reduced(a), low_rank(a, 4), atol=1e-6)  # values 1, 1, 1/2, 1/2


@pytest.mark.parametrize(("options", "name"), [({"rtol": 2.0}, "rtol"), ({"energy": -1.0}, "energy")])
def test_shares_are_checked(options, name):
    with pytest.raises(ValueError, match=f"`{name}` must be between 0 and 1"):
        active_rank_for(S, **options)
