"""State to arrays and back, random keys included."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fastrrae.training.state_arrays import digest, flatten, unflatten

STATE = {"a": {"kernel": jnp.arange(6.0).reshape(2, 3)}, "key": jax.random.key(3), "step": jnp.int32(4)}


def test_round_trip():
    arrays = flatten(STATE)
    assert set(arrays) == {"a/kernel", "key", "step"}
    back = unflatten(STATE, arrays)
    np.testing.assert_array_equal(back["a"]["kernel"], STATE["a"]["kernel"])
    np.testing.assert_array_equal(jax.random.normal(back["key"], (3,)), jax.random.normal(STATE["key"], (3,)))


def test_differences_are_listed():
    arrays = flatten(STATE)
    arrays["a/kernel"] = arrays["a/kernel"].T
    arrays["b"] = arrays.pop("step")
    with pytest.raises(ValueError, match=r"\(3 differ\): a/kernel: \(2, 3\) here, \(3, 2\) saved; b: absent here"):
        unflatten(STATE, arrays)


def test_the_digest_sees_every_bit():
    changed = STATE | {"a": {"kernel": STATE["a"]["kernel"].at[0, 0].set(1e-30)}}
    assert digest(STATE) == digest(dict(reversed(STATE.items())))
    assert digest(STATE) != digest(changed)
