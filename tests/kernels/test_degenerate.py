"""Where a derivative does not exist, or the input is not finite: finite or NaN as documented, and never a hang."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fastrrae_kernels import Exact, Gram, Randomized, low_rank, specs, truncated_svd

METHODS = [Exact(), Gram(), Randomized(tolerance=1e-5, iterations=500)]


def basis_dependent(a, rank, method):
    u, s, vt = truncated_svd(a, rank, method=method)
    return jnp.sum(jnp.sin(u)) + jnp.sum(s) + jnp.sum(jnp.cos(vt))


@pytest.mark.parametrize("method", METHODS, ids=repr)
@pytest.mark.parametrize(("m", "n", "k"), [(20, 30, 11), (30, 20, 11)])
def test_gradients_stay_finite(method, m, n, k):
    def slope(a):
        return jax.grad(basis_dependent)(a, k, method)

    of_factors = jax.jit(slope)
    of_product = jax.jit(jax.grad(lambda a: jnp.sum(low_rank(a, k, method=method) ** 3)))
    of_second_order = jax.jit(jax.grad(lambda a: jnp.sum(slope(a) ** 2)))
    for spectrum in ("tied", "deficient", "zero", "clustered"):  # in one test: compiling is what takes the time
        a = jnp.asarray(specs.matrix_with_spectrum(spectrum, m, n), jnp.float32)
        for gradient in (of_factors, of_product, of_second_order):
            assert jnp.isfinite(gradient(a)).all(), spectrum


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_a_tie_at_the_boundary_stays_finite(method):
    a = jnp.eye(6, 8)
    assert jnp.isfinite(jax.jit(jax.grad(lambda a: jnp.sum(jnp.sin(low_rank(a, 3, method=method)))))(a)).all()
    assert jnp.isfinite(jax.grad(basis_dependent)(a, 3, method)).all()


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_below_full_rank_the_gradient_is_the_projection_on_the_tangent_space(method, float64):
    rng = np.random.default_rng(0)
    a = rng.standard_normal((10, 2)) @ rng.standard_normal((2, 14))
    g = rng.standard_normal((10, 14))
    u, _, vt = np.linalg.svd(a)
    pu, pv = u[:, :2] @ u[:, :2].T, vt[:2].T @ vt[:2]
    expected = pu @ g + g @ pv - pu @ g @ pv
    (cotangent,) = jax.vjp(jax.jit(lambda a: low_rank(a, 2, method=method)), jnp.asarray(a))[1](jnp.asarray(g))
    np.testing.assert_allclose(cotangent, expected, atol=1e-10)


@pytest.mark.parametrize("method", METHODS, ids=repr)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_propagate_within_their_own_matrix(method, bad):
    a = specs.gaussian_matrix(3 * 8, 12).reshape(3, 8, 12).astype(np.float32)
    a[1, 2, 3] = bad
    svd = truncated_svd(a, 3, method=method)
    for x in (*svd, low_rank(a, 3, method=method)):
        assert np.isnan(x[1]).all()
        assert np.isfinite(x[0]).all()
        assert np.isfinite(x[2]).all()
