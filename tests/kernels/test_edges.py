"""The edges of float32, of a batch and of the settings of JAX: what is documented there, and nothing else."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fastrrae_kernels import Auto, Exact, Gram, Randomized, low_rank, specs, truncated_svd

METHODS = [Exact(), Gram(), pytest.param(Auto(), marks=pytest.mark.slow), Randomized(oversample=2, tolerance=1e-5)]
LARGEST = np.finfo(np.float32).max
SMALLEST_NORMAL = np.finfo(np.float32).tiny


def scaled(largest, m=24, n=28):
    """A matrix of rank 5 whose largest entry is as given, and the same matrix around one."""
    a = specs.gaussian_matrix(m, 5) @ specs.gaussian_matrix(5, n, 3)
    a = a / np.abs(a).max()
    return (a * largest).astype(np.float32), a.astype(np.float32)


@partial(jax.jit, static_argnums=1)
def results_and_gradients(a, method):
    """One program for all scales."""
    w = specs.gaussian_matrix(a.shape[0], a.shape[1], 7).astype(np.float32)
    gradient = jax.grad(lambda a: jnp.sum(1e3 * w * low_rank(a, 3, method=method)))(a)
    slope = jax.grad(lambda a: jnp.sum(truncated_svd(a, 3, method=method).s))(a)
    return truncated_svd(a, 3, method=method), low_rank(a, 3, method=method), gradient, slope


@pytest.mark.parametrize("method", METHODS, ids=repr)
@pytest.mark.parametrize(
    "largest", [LARGEST, pytest.param(2.0**127, marks=pytest.mark.slow), 1e30, 1e-30, 1e6 * SMALLEST_NORMAL]
)
def test_results_and_gradients_do_not_depend_on_the_scale(method, largest):
    a, around_one = scaled(largest)
    (found, y, gradient, slope), (expected, y1, gradient1, slope1) = (
        results_and_gradients(x, method) for x in (a, around_one)
    )
    s = np.asarray(expected.s, np.float64) * largest
    np.testing.assert_allclose(found.s, np.where(s > LARGEST, np.inf, s), rtol=1e-4)
    np.testing.assert_allclose(np.abs(found.u), np.abs(expected.u), atol=1e-4)
    inside = np.abs(np.asarray(y1, np.float64)) * largest < 0.99 * LARGEST
    np.testing.assert_allclose((np.asarray(y, np.float64) / largest)[inside], y1[inside], atol=1e-5)
    np.testing.assert_allclose(gradient, gradient1, atol=1e-3 * np.abs(gradient1).max())
    np.testing.assert_allclose(slope, slope1, atol=1e-4)


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_numbers_below_the_normal_range_count_as_zero_or_as_what_they_are(method):
    """CPUs flush them to zero; GPUs keep them, and then the singular values are right."""
    a = np.full((12, 14), 1e-45, np.float32)
    svd = truncated_svd(a, 2, method=method)
    right = np.sqrt(12 * 14) * float(a[0, 0])
    assert svd.s[0] == 0 or abs(svd.s[0] - right) <= 0.1 * right
    assert svd.s[1] == 0
    np.testing.assert_allclose(svd.vt @ svd.vt.T, np.eye(2), atol=1e-5)
    assert np.isfinite(jax.jit(jax.grad(lambda a: jnp.sum(low_rank(a, 2, method=method))))(a)).all()


@pytest.mark.parametrize("method", METHODS, ids=repr)
@pytest.mark.parametrize("shape", [(20, 30), (30, 20)])
def test_a_bad_matrix_is_nan_in_all_results_and_leaves_the_others_as_they_are(method, shape):
    a = np.stack([specs.gaussian_matrix(shape[0], shape[1], seed) for seed in range(3)]).astype(np.float32)
    good = a.copy()
    a[1, 0, 0], good[1] = np.nan, 0
    for x in (*truncated_svd(a, 4, method=method), low_rank(a, 4, method=method)):
        assert np.isnan(x[1]).all()
    for x, y in zip(truncated_svd(a, 4, method=method), truncated_svd(good, 4, method=method), strict=True):
        np.testing.assert_array_equal(x[::2], y[::2])
    gradient = jax.jit(jax.grad(lambda a: jnp.sum(jnp.sin(low_rank(a, 4, method=method)))))(a)
    assert np.isfinite(gradient[::2]).all()


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_strict_promotion_and_a_search_for_nan(method):
    a = jnp.asarray(specs.gaussian_matrix(12, 16), jnp.float32)
    with jax.numpy_dtype_promotion("strict"), jax.debug_nans(True):
        y, pull = jax.vjp(jax.jit(lambda a: low_rank(a, 3, method=method, active_rank=jnp.array(2))), a)
        assert np.isfinite(pull(y)[0]).all()
        svd, pull = jax.vjp(jax.jit(lambda a: truncated_svd(a, 3, method=method)), a)
        assert np.isfinite(pull(svd)[0]).all()


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_float32_stays_float32_with_64_bit_types_enabled(method):
    a = jnp.asarray(specs.gaussian_matrix(12, 16), jnp.float32)

    def results():
        y, pull = jax.vjp(jax.jit(lambda a: low_rank(a, 3, method=method)), a)
        svd, factors_pull = jax.vjp(jax.jit(lambda a: truncated_svd(a, 3, method=method)), a)
        return y, pull(y), svd, factors_pull(svd)

    narrow = jax.tree.leaves(results())
    with jax.enable_x64(True):
        wide = jax.tree.leaves(results())
    for x, y in zip(narrow, wide, strict=True):
        assert y.dtype == jnp.float32
        np.testing.assert_array_equal(x, y)


def test_a_rank_that_is_an_array_or_traced_is_refused():
    a = jnp.ones((8, 9))
    for rank in (jnp.array(2), np.array([2])):
        with pytest.raises(TypeError, match=r"`rank` must be a Python integer"):
            low_rank(a, rank)  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match=r"`rank` must be a Python integer"):
        jax.jit(low_rank)(a, 2)
    assert low_rank(a, np.int64(2)).shape == a.shape  # pyright: ignore[reportArgumentType]


def test_an_active_rank_out_of_range_is_refused_or_limited():
    a = jnp.asarray(specs.gaussian_matrix(8, 9), jnp.float32)
    with pytest.raises(ValueError, match=r"`active_rank` must be at least 0 and at most `rank` = 3"):
        low_rank(a, 3, active_rank=jnp.array(4))
    limited = jax.jit(lambda active: low_rank(a, 3, active_rank=active))(7)
    np.testing.assert_allclose(limited, low_rank(a, 3), atol=1e-6)


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_every_product_is_at_full_precision(method):
    """TPUs and GPUs would round the operands of any other to shorter types."""
    a = jax.ShapeDtypeStruct((24, 30), jnp.float32)

    def loss(a):
        svd = truncated_svd(a, 3, method=method, active_rank=2)
        return jnp.sum(jnp.sin(low_rank(a, 3, method=method))) + jnp.sum(svd.u**4) + jnp.sum(svd.vt**4)

    def second(a):
        return jnp.sum(jax.grad(loss)(a) ** 2)

    text = jax.jit(jax.vmap(jax.grad(second))).lower(jax.ShapeDtypeStruct((2, *a.shape), a.dtype)).as_text()
    products = [line for line in text.splitlines() if "stablehlo.dot_general" in line]
    assert products
    assert all("HIGHEST" in line for line in products), next(line for line in products if "HIGHEST" not in line)
