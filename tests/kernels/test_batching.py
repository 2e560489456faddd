"""Batch dimensions, vmap and the other transformations all reach the same batched code."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fastrrae_kernels import Exact, Gram, Randomized, low_rank, low_rank_and_svd, specs, truncated_svd

METHODS = [Exact(), Gram()]


@pytest.fixture(params=[(8, 12), (12, 8)], ids=["wide", "tall"])
def stack(request):
    m, n = request.param
    return jnp.asarray(specs.gaussian_matrix(2 * 3 * m, n).reshape(2, 3, m, n), jnp.float32)


def test_a_stack_of_matrices_that_keep_both_cores_busy():
    """Batched LAPACK calls side by side can wait for each other forever on CPU; this one finishes."""
    a = jnp.asarray(specs.gaussian_matrix(32 * 200, 100).reshape(32, 200, 100), jnp.float32)
    gradient = jax.jit(jax.grad(lambda a: jnp.sum(jnp.sin(low_rank(a, 16, method=Randomized())))))
    assert jnp.isfinite(gradient(a)).all()


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_batches_equal_one_by_one(method, stack):
    batched = truncated_svd(stack, 3, method=method)
    for i in range(2):
        for j in range(3):
            single = truncated_svd(stack[i, j], 3, method=method)
            for x, y in zip(batched, single, strict=True):
                np.testing.assert_array_equal(x[i, j], y)


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_vmap_of_gradients_equals_batched_gradients(method, stack):
    def loss(a):
        return jnp.sum(jnp.sin(low_rank(a, 3, method=method)))

    expected = jax.jit(jax.grad(loss))(stack)
    np.testing.assert_allclose(jax.jit(jax.vmap(jax.vmap(jax.grad(loss))))(stack), expected, atol=1e-5)
    np.testing.assert_allclose(jax.jit(jax.vmap(jax.grad(loss)))(stack), expected, atol=1e-5)


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_vmap_adds_no_loop_over_the_batch(method):
    a = jnp.zeros((5, 8, 12))
    text = jax.jit(jax.vmap(lambda a: low_rank(a, 3, method=method))).lower(a).as_text()
    assert "stablehlo.while" not in text
    if jax.default_backend() == "cpu":  # on GPUs, `Exact` computes in float64, too
        assert ("tensor<5x8x8xf64>" in text) == isinstance(method, Gram)


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_scan_remat_and_jit(method, stack):
    a = stack[0]

    def total(a):
        def body(carry, x):
            return carry + jnp.sum(jax.checkpoint(lambda x: low_rank(x, 3, method=method))(x) ** 3), None

        return jax.lax.scan(body, 0.0, a)[0]

    expected = jax.jit(jax.grad(lambda a: jnp.sum(low_rank(a, 3, method=method) ** 3)))(a)
    np.testing.assert_allclose(jax.jit(jax.grad(total))(a), expected, rtol=2e-4, atol=1e-4)


@pytest.mark.parametrize("method", [*METHODS, Randomized()], ids=repr)
def test_a_second_call_outside_jit_compiles_nothing(method, caplog):
    a = jnp.asarray(specs.gaussian_matrix(9, 14), jnp.float32)
    slope = jax.grad(lambda a: jnp.sum(low_rank(a, 2, method=method)))

    def compilations():
        caplog.clear()
        with jax.log_compiles(True):
            truncated_svd(a, 2, method=method)
            slope(a)
        return [record.message for record in caplog.records if "Compiling" in record.message]

    assert compilations()
    assert not compilations()


def test_both_results_of_one_decomposition(stack):
    y, svd = low_rank_and_svd(stack, 3)
    np.testing.assert_array_equal(y, low_rank(stack, 3))
    for x, expected in zip(svd, truncated_svd(stack, 3), strict=True):
        np.testing.assert_array_equal(x, expected)

    def loss(a):
        y, svd = low_rank_and_svd(a, 3)
        return jnp.sum(y**3) + jnp.sum(svd.vt**4)

    both = jax.jit(jax.grad(loss))(stack)
    apart = jax.jit(jax.grad(lambda a: jnp.sum(low_rank(a, 3) ** 3) + jnp.sum(truncated_svd(a, 3).vt ** 4)))(stack)
    np.testing.assert_allclose(both, apart, atol=1e-4 * np.abs(apart).max())


def test_empty_batch():
    svd = truncated_svd(jnp.zeros((0, 8, 12)), 3)
    assert [x.shape for x in svd] == [(0, 8, 3), (0, 3), (0, 3, 12)]
    assert low_rank(jnp.zeros((0, 8, 12)), 3).shape == (0, 8, 12)


@pytest.mark.skipif(jax.device_count() < 4, reason="needs four devices")
@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_sharded_over_the_batch(method):
    mesh = jax.make_mesh((4,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    a = jnp.asarray(specs.gaussian_matrix(4 * 8, 12).reshape(4, 8, 12), jnp.float32)
    spec = jax.sharding.PartitionSpec("data")

    def loss(a):
        return jnp.sum(jnp.sin(low_rank(a, 3, method=method)), axis=(1, 2))

    sharded = jax.shard_map(loss, mesh=mesh, in_specs=spec, out_specs=spec)
    gradient = jax.jit(jax.grad(lambda a: sharded(a).sum()))(a)
    np.testing.assert_allclose(gradient, jax.jit(jax.grad(lambda a: loss(a).sum()))(a), atol=1e-5)
