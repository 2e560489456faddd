"""What a truncated SVD is: orthonormal factors, right singular values, the best approximation of its rank."""

from functools import cache

import jax.numpy as jnp
import numpy as np
import pytest

from fastrrae_kernels import Auto, Exact, Gram, low_rank, reference, specs, truncated_svd

METHODS = [Exact(), Gram(), Auto()]
SPECTRA = ["gaussian", *specs.SPECTRA]


@cache
def make(spectrum: str, m: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """A matrix, and its singular values by LAPACK in float64: once for all methods."""
    a = specs.gaussian_matrix(m, n) if spectrum == "gaussian" else specs.matrix_with_spectrum(spectrum, m, n)
    a = a.astype(np.float32)
    return a, np.linalg.svd(a.astype(np.float64), compute_uv=False)


@pytest.mark.parametrize("method", METHODS, ids=repr)
@pytest.mark.parametrize("spectrum", SPECTRA)
@pytest.mark.parametrize(
    ("m", "n", "k"), [(64, 200, 2), (200, 64, 60), (80, 80, 80), (576, 100, 16), (1, 7, 1), (7, 1, 1)]
)
def test_accuracy_in_float32(method, spectrum, m, n, k):
    a, values = make(spectrum, m, n)
    exact = a.astype(np.float64)
    u, s, vt = (np.asarray(x, np.float64) for x in truncated_svd(a, k, method=method))
    y = np.asarray(low_rank(a, k, method=method), np.float64)

    assert u.shape == (m, k)
    assert s.shape == (k,)
    assert vt.shape == (k, n)
    assert np.all(np.diff(s) <= 0)
    assert np.abs(s - values[:k]).max() <= 2e-6 * values[0]
    assert np.abs(u.T @ u - np.eye(k)).max() <= 1e-5
    assert np.abs(vt @ vt.T - np.eye(k)).max() <= 1e-5
    optimum = np.sqrt(np.sum(values[k:] ** 2))
    bound = (1 + 1e-4) * optimum + 3e-6 * np.linalg.norm(exact)
    assert np.linalg.norm(exact - (u * s) @ vt) <= bound
    assert np.linalg.norm(exact - y) <= bound


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS, ids=repr)
@pytest.mark.parametrize("spectrum", SPECTRA)
@pytest.mark.parametrize("shape", specs.SHAPES, ids=lambda s: s.name)
def test_accuracy_at_the_papers_shapes(method, spectrum, shape):
    test_accuracy_in_float32(method, spectrum, shape.m, shape.n, shape.k)
    test_accuracy_in_float32(method, spectrum, shape.n, shape.m, shape.k)


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_float64_agrees_with_the_reference(float64, method):
    a = specs.gaussian_matrix(30, 50)
    u, s, vt = truncated_svd(a, 7, method=method)
    assert u.dtype == s.dtype == vt.dtype == jnp.float64
    np.testing.assert_allclose(s, reference.truncated_svd(a, 7)[1], rtol=1e-13)
    np.testing.assert_allclose((u * s) @ vt, reference.low_rank(a, 7), atol=1e-12)
    np.testing.assert_allclose(low_rank(a, 7, method=method), reference.low_rank(a, 7), atol=1e-12)


@pytest.mark.parametrize("method", METHODS, ids=repr)
@pytest.mark.parametrize("scale", [1e-30, 1e-18, 1e18, 1e30])
def test_huge_and_tiny_scales(method, scale):
    a = specs.gaussian_matrix(12, 20).astype(np.float32)
    _, s, _ = truncated_svd(a * np.float32(scale), 3, method=method)
    np.testing.assert_allclose(s, reference.truncated_svd(a, 3)[1] * scale, rtol=1e-5)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_short_types_are_computed_in_float32(dtype):
    a = jnp.asarray(specs.gaussian_matrix(12, 20), dtype)
    u, s, vt = truncated_svd(a, 3)
    assert u.dtype == s.dtype == vt.dtype == low_rank(a, 3).dtype == dtype
    wide = np.asarray(truncated_svd(a.astype(jnp.float32), 3).s)
    np.testing.assert_array_equal(np.asarray(s, np.float32), np.asarray(wide.astype(dtype), np.float32))


def test_integers_become_floats():
    a = np.arange(12).reshape(3, 4)
    assert low_rank(a, 2).dtype == jnp.float32
    np.testing.assert_allclose(low_rank(a, 2), a, atol=1e-5)
