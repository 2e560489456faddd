"""Kernels are traced for TPUs alone, wherever a program is compiled; the programs are the same as without that."""

from functools import partial
from typing import Any

import jax
import jax.extend
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, PartitionSpec

from fastrrae_kernels import Exact, Gram, truncated_svd
from fastrrae_kernels.tpu.deferred_tracing import traced_now, traced_when_lowered

rng = np.random.default_rng(0)
KERNELS = "tpu_custom_call"
settings: Any = jax.config


def singular_values(a):
    return truncated_svd(a, 2, method=Gram()).s


def for_tpu(function, *arguments):
    return jax.jit(function).trace(*arguments).lower(lowering_platforms=("tpu",)).as_text()


def matrices(*shape):
    return jnp.asarray(rng.standard_normal(shape), jnp.float32)


def test_what_is_not_compiled_for_a_tpu_is_not_traced():
    traced = []

    def twice(a):
        traced.append((settings.jax_default_matmul_precision, jnp.zeros((), int).dtype))
        return {"twice": 2 * a}

    def either(a):
        on_tpu = lambda a: traced_when_lowered(twice, [a.shape], a)  # noqa: E731
        return jax.lax.platform_dependent(a, tpu=on_tpu, default=lambda a: [3 * a])

    a = matrices(4, 5)
    np.testing.assert_array_equal(jax.jit(either)(a)[0], 3 * a)
    assert not traced
    with jax.enable_x64(True):
        for_tpu(either, a)
    assert traced == [("highest", np.int32)]
    np.testing.assert_array_equal(traced_now(twice, [a.shape], a)[0], 2 * a)


def test_a_program_for_several_platforms():
    a = matrices(7, 5)
    exported = jax.export.export(jax.jit(singular_values), platforms=("cpu", "tpu"))(a)
    assert KERNELS in exported.mlir_module()
    expected = truncated_svd(a, 2, method=Exact()).s
    np.testing.assert_allclose(jax.export.deserialize(exported.serialize()).call(a), expected, rtol=1e-5)


def test_vmap_of_what_was_traced_already():
    a = matrices(3, 7, 5)
    traced = jax.extend.core.jaxpr_as_fun(jax.make_jaxpr(singular_values)(a[0]))
    (batched,) = jax.jit(jax.vmap(traced))(a)
    np.testing.assert_allclose(batched, singular_values(a), rtol=1e-5)
    assert KERNELS in for_tpu(jax.vmap(traced), a)


def test_vmap_makes_a_stack():
    a = matrices(4, 3, 5)
    both = lambda a: traced_when_lowered(lambda a: (a @ a.mT, a[..., 0]), [(3, 3), (3,)], a)  # noqa: E731
    gram, column = jax.eval_shape(jax.vmap(both, in_axes=1), jnp.swapaxes(a, 0, 1))
    assert (gram.shape, column.shape) == ((4, 3, 3), (4, 3))
    assert "tensor<4x3x3xf32>" in for_tpu(jax.vmap(both, in_axes=1), jnp.swapaxes(a, 0, 1))


def test_rows_over_devices():
    mesh = jax.make_mesh((4,), ("devices",), axis_types=(AxisType.Auto,))
    a = matrices(2, 8, 6)

    def loss(a, axis_name=None):
        return jnp.sum(truncated_svd(a, 2, method=Gram(), axis_name=axis_name).s)

    sharded = partial(loss, axis_name="devices")
    rows = PartitionSpec(None, "devices")
    program = jax.value_and_grad(jax.shard_map(sharded, mesh=mesh, in_specs=rows, out_specs=PartitionSpec()))
    value, gradient = jax.jit(program)(a)
    expected_value, expected_gradient = jax.value_and_grad(loss)(a)
    np.testing.assert_allclose(value, expected_value, rtol=1e-5)
    np.testing.assert_allclose(gradient, expected_gradient, atol=1e-5)
    assert KERNELS in for_tpu(program, a)


def test_outside_of_a_program():
    a = matrices(6, 5)
    with jax.disable_jit():
        found = singular_values(a)
    np.testing.assert_allclose(found, truncated_svd(a, 2, method=Exact()).s, rtol=1e-5)
