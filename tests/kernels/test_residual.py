import jax.numpy as jnp
import numpy as np
import pytest

from fastrrae_kernels import Exact, TruncatedSVD, residual, specs, truncated_svd


@pytest.mark.parametrize(("m", "n"), [(9, 14), (14, 9)])
def test_zero_for_exact_triplets_and_a_bound_for_others(float64, m, n):
    a = specs.gaussian_matrix(m, n)
    svd = truncated_svd(a, 3, method=Exact())
    np.testing.assert_allclose(residual(a, svd), 0, atol=1e-12)

    guess = svd._replace(s=svd.s + jnp.array([0.0, 0.1, 0.0]))
    np.testing.assert_allclose(residual(a, guess), [0, 0.1 * 2**0.5, 0], atol=1e-12)

    rng = np.random.default_rng(1)
    u, v = (np.linalg.qr(rng.standard_normal((d, 3)))[0] for d in (m, n))
    s = np.einsum("mk,mn,nk->k", u, a, v)
    bound = residual(a, TruncatedSVD(jnp.asarray(u), jnp.asarray(s), jnp.asarray(v.T))) / 2**0.5
    distance = np.abs(np.abs(s)[:, None] - np.linalg.svd(a, compute_uv=False)).min(1)
    assert np.all(distance <= bound)


def test_batches():
    a = jnp.asarray(specs.gaussian_matrix(2 * 6, 8).reshape(2, 6, 8), jnp.float32)
    assert residual(a, truncated_svd(a, 3)).shape == (2, 3)
    assert float(residual(a, truncated_svd(a, 3)).max()) < 1e-5
