"""Subspace iteration: it keeps the accuracy that was asked for, profits from a start, and has the same derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fastrrae_kernels import Auto, Exact, Gram, Randomized, low_rank, reference, residual, specs, truncated_svd

SHAPES = [(60, 90, 4), (90, 60, 4), (50, 50, 10), (30, 40, 30), (1, 9, 1), (9, 1, 1)]


@pytest.mark.parametrize("tolerance", [1e-1, pytest.param(1e-3, marks=pytest.mark.slow), 1e-5])
@pytest.mark.parametrize(("m", "n", "k"), SHAPES)
def test_the_residual_is_within_the_tolerance(tolerance, m, n, k):
    a = specs.matrix_with_spectrum("geometric", m, n).astype(np.float32)
    svd = truncated_svd(a, k, method=Randomized(tolerance=tolerance, iterations=500))
    assert float(residual(a, svd).max()) <= tolerance * float(svd.s[0]) + 1e-6
    np.testing.assert_allclose(svd.u.T @ svd.u, np.eye(k), atol=1e-5)
    np.testing.assert_allclose(svd.vt @ svd.vt.T, np.eye(k), atol=1e-5)
    values = reference.truncated_svd(a, k)[1]
    assert np.abs(svd.s - values).max() <= (tolerance + 2e-6) * values[0]


@pytest.mark.parametrize("spectrum", ["harmonic", "geometric", "clustered", "tied", "deficient", "zero"])
def test_every_spectrum_reaches_nearly_the_optimum(spectrum):
    a = specs.matrix_with_spectrum(spectrum, 80, 120).astype(np.float32)
    svd = truncated_svd(a, 12, method=Randomized(tolerance=1e-4, iterations=500))
    values = np.linalg.svd(a.astype(np.float64), compute_uv=False)
    assert np.all(np.diff(svd.s) <= 0)
    assert np.linalg.norm(a - (svd.u * svd.s) @ svd.vt) <= 1.001 * np.linalg.norm(values[12:]) + 1e-5 * values[0]
    np.testing.assert_allclose(svd.vt @ svd.vt.T, np.eye(12), atol=1e-5)


def test_batches_with_different_convergence():
    fast = specs.matrix_with_spectrum("geometric", 40, 60)
    slow = specs.gaussian_matrix(40, 60)
    a = np.stack([fast, slow]).astype(np.float32)
    method = Randomized(tolerance=1e-4, iterations=500)
    expected = truncated_svd(a, 3, method=Gram())
    np.testing.assert_allclose(truncated_svd(a, 3, method=method).s, expected.s, rtol=1e-5)
    np.testing.assert_allclose(jax.vmap(lambda a: truncated_svd(a, 3, method=method).s)(a), expected.s, rtol=1e-5)


@pytest.mark.parametrize("transposed", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_warm_start_needs_at_most_half_of_the_iterations(transposed):
    a = specs.matrix_with_spectrum("harmonic", 100, 150)
    noise = specs.gaussian_matrix(100, 150, 7)
    b = a + 0.01 * noise * np.linalg.norm(a) / np.linalg.norm(noise)
    a, b = (jnp.asarray(x.T if transposed else x, jnp.float32) for x in (a, b))
    start = truncated_svd(a, 8).vt

    def reached(iterations, start):
        """The largest residual, relative to s_1, that so many iterations leave."""
        method = Randomized(oversample=4, iterations=iterations, tolerance=1e-9)
        svd = truncated_svd(b, 8, method=method, start=start)
        return float(residual(b, svd).max() / svd.s[0])

    needed = [next(i for i in range(1, 30) if reached(i, s) < 1e-3) for s in (None, start)]
    assert needed[1] <= needed[0] / 2


def test_auto_with_a_start_iterates():
    a = jnp.asarray(specs.matrix_with_spectrum("geometric", 30, 40), jnp.float32)
    start = truncated_svd(a, 3).vt
    expected = truncated_svd(a, 3, method=Randomized(), start=start)
    np.testing.assert_array_equal(truncated_svd(a, 3, method=Auto(), start=start).s, expected.s)


@pytest.mark.parametrize("start", [np.zeros((3, 40)), np.ones((9, 40)), 1e-30 * specs.gaussian_matrix(2, 40)])
def test_a_poor_start_does_no_harm(start):
    a = specs.matrix_with_spectrum("geometric", 30, 40).astype(np.float32)
    s = truncated_svd(a, 3, method=Randomized(iterations=200), start=start).s
    np.testing.assert_allclose(s, truncated_svd(a, 3).s, rtol=1e-4)


def test_nan_ends_the_iteration_of_its_own_matrix_only():
    a = np.stack([specs.matrix_with_spectrum("geometric", 12, 20)] * 2).astype(np.float32)
    a[1, 2, 3] = np.nan
    svd = truncated_svd(a, 2, method=Randomized())
    assert all(np.isnan(x[1]).all() for x in svd)
    np.testing.assert_allclose(svd.s[0], truncated_svd(a[0], 2).s, rtol=1e-4)


@pytest.mark.parametrize("scale", [1e-30, 1e-18, 1e18, 1e30])
def test_huge_and_tiny_scales(scale):
    a = specs.matrix_with_spectrum("geometric", 12, 20).astype(np.float32)
    s = truncated_svd(a * np.float32(scale), 3, method=Randomized()).s
    np.testing.assert_allclose(s, reference.truncated_svd(a, 3)[1] * scale, rtol=1e-4)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_short_types(dtype):
    a = jnp.asarray(specs.matrix_with_spectrum("geometric", 12, 20), dtype)
    svd = truncated_svd(a, 3, start=jnp.ones((1, 20), dtype))
    assert svd.u.dtype == svd.s.dtype == svd.vt.dtype == dtype


def test_an_empty_batch_and_a_mapped_start():
    assert low_rank(jnp.zeros((0, 30, 8)), 2, method=Randomized()).shape == (0, 30, 8)
    a = jnp.asarray(specs.matrix_with_spectrum("geometric", 12, 20), jnp.float32)
    starts = jnp.asarray(specs.gaussian_matrix(4 * 3, 20).reshape(4, 3, 20), jnp.float32)
    mapped = jax.vmap(lambda start: truncated_svd(a, 3, start=start).s)(starts)
    np.testing.assert_allclose(mapped, jnp.broadcast_to(truncated_svd(a, 3).s, (4, 3)), rtol=1e-3)


@pytest.mark.parametrize(
    ("m", "n", "k"), [*SHAPES[:1], *(pytest.param(*s, marks=pytest.mark.slow) for s in SHAPES[1:])]
)
@pytest.mark.parametrize(
    "oversample", [pytest.param(0, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow), None]
)
def test_derivatives_equal_those_of_exact(float64, m, n, k, oversample):
    d = min(m, n)
    u, _, vt = np.linalg.svd(specs.gaussian_matrix(m, n), full_matrices=False)
    a = jnp.asarray((u * np.concatenate([np.linspace(2, 1, k), np.linspace(0.8, 0.1, d - k)])) @ vt)
    w, method = specs.gaussian_matrix(m, n, 2), Randomized(oversample=oversample, tolerance=1e-12, iterations=1000)

    def loss(a, method):
        u, s, vt = truncated_svd(a, k, method=method)
        return jnp.sum(w * jnp.sin(low_rank(a, k, method=method))) + jnp.sum(u**4) + jnp.sum(s**3) + jnp.sum(vt**4)

    gradient = jax.jit(jax.grad(loss), static_argnums=1)
    expected = gradient(a, Exact())
    np.testing.assert_allclose(gradient(a, method), expected, atol=1e-8)
    slope = jax.jit(lambda a, w: jax.jvp(lambda a: loss(a, method), (a,), (w,))[1])
    np.testing.assert_allclose(slope(a, w), jnp.sum(w * expected), rtol=1e-7)


def test_second_order(float64):
    u, _, vt = np.linalg.svd(specs.gaussian_matrix(7, 10), full_matrices=False)
    a = jnp.asarray((u * np.array([2.0, 2.0, 1.0, 0.5, 0.4, 0.3, 0.2])) @ vt)  # a tie among the kept values
    w, v = specs.gaussian_matrix(7, 10, 2), specs.gaussian_matrix(7, 10, 3)

    def gradient(a, method):
        return jnp.sum(v * jax.grad(lambda a: jnp.sum(w * jnp.sin(low_rank(a, 3, method=method))))(a))

    second = jax.jit(jax.grad(gradient), static_argnums=1)
    method = Randomized(oversample=2, tolerance=1e-12, iterations=1000)
    np.testing.assert_allclose(second(a, method), second(a, Exact()), atol=1e-7)


def test_no_derivative_reaches_the_start():
    a = jnp.asarray(specs.matrix_with_spectrum("geometric", 10, 12), jnp.float32)
    start = truncated_svd(a, 2).vt
    slope = jax.jit(jax.grad(lambda start: jnp.sum(truncated_svd(a, 2, start=start).s)))(start)
    np.testing.assert_array_equal(slope, np.zeros_like(start))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"oversample": -1}, r"`oversample` must be at least 0, or None; got -1"),
        ({"iterations": 0}, r"`iterations` must be at least 1; got 0"),
        ({"tolerance": 0.0}, r"`tolerance` must be positive; got 0\.0"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        Randomized(**options)
