"""`fixed_signs`: the same decomposition, whatever signs an eigensolver has chosen."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fastrrae_kernels import Exact, Gram, Randomized, TruncatedSVD, fixed_signs, truncated_svd

A = jnp.asarray(np.random.default_rng(0).standard_normal((5, 30, 12)) * 0.8 ** np.arange(12), jnp.float32)


def with_signs(svd, signs):
    return TruncatedSVD(svd.u * signs[..., None, :], svd.s, svd.vt * signs[..., :, None])


def test_the_product_stays_and_the_largest_entry_of_each_row_is_positive():
    svd = truncated_svd(A, 4)
    fixed = fixed_signs(svd)
    product = lambda svd: (svd.u * svd.s[..., None, :]) @ svd.vt  # noqa: E731
    np.testing.assert_allclose(product(fixed), product(svd), atol=1e-6)
    vt = np.asarray(fixed.vt)
    assert (vt.max(-1) == np.abs(vt).max(-1)).all()


def test_signs_that_come_in_do_not_matter():
    svd = truncated_svd(A, 4)
    signs = np.where(np.random.default_rng(1).random((5, 4)) < 0.5, -1.0, 1.0).astype(np.float32)
    for one, other in zip(fixed_signs(svd), fixed_signs(with_signs(svd, signs)), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("method", [Exact(), Gram(), Randomized(tolerance=1e-6)])
@pytest.mark.parametrize("wide", [False, True])
def test_all_methods_agree(method, wide):
    a = A[0].T if wide else A[0]
    u, s, vt = np.linalg.svd(np.asarray(a, np.float64), full_matrices=False)
    expected = fixed_signs(TruncatedSVD(jnp.asarray(u[:, :3]), jnp.asarray(s[:3]), jnp.asarray(vt[:3])))
    for found, exact in zip(fixed_signs(truncated_svd(a, 3, method=method)), expected, strict=True):
        np.testing.assert_allclose(found, exact, atol=1e-4)


@pytest.mark.usefixtures("float64")
def test_gradients_are_those_of_constant_signs():
    a = jnp.asarray(A[0], jnp.float64)
    weights = np.random.default_rng(2).standard_normal((30, 3))

    def loss(a):
        return jnp.sum(weights * fixed_signs(truncated_svd(a, 3)).u)

    direction = jnp.asarray(np.random.default_rng(3).standard_normal(a.shape))
    step = 1e-6
    expected = (loss(a + step * direction) - loss(a - step * direction)) / (2 * step)
    np.testing.assert_allclose(jnp.vdot(jax.grad(loss)(a), direction), expected, rtol=1e-6)


def test_zeros_and_nan_pass():
    zero = TruncatedSVD(jnp.zeros((4, 2)), jnp.zeros(2), jnp.zeros((2, 3)))
    for x, y in zip(fixed_signs(zero), zero, strict=True):
        np.testing.assert_array_equal(x, y)
    assert jnp.isnan(fixed_signs(truncated_svd(A[0].at[0, 0].set(jnp.nan), 2)).u).all()
