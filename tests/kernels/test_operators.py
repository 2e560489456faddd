"""A matrix that exists only as products gives what the matrix itself gives, and so do its parameters' derivatives."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.sparse import BCOO

from fastrrae_kernels import (
    Exact,
    Gram,
    LinearOperator,
    Randomized,
    centred,
    low_rank,
    residual,
    sparse,
    specs,
    truncated_svd,
)

METHOD = Randomized(oversample=2, tolerance=1e-11, iterations=500)


def decaying(m, n):
    left, right = specs.gaussian_matrix(m, 30), specs.gaussian_matrix(30, n, 1)
    return jnp.asarray(left * 0.7 ** np.arange(30) @ right + 3)


@pytest.mark.parametrize("shape", [(50, 35), (35, 50)])
@pytest.mark.parametrize("method", [METHOD, Gram(), Exact()], ids=repr)
def test_centred_data_without_a_copy(float64, shape, method):
    a, w = decaying(*shape), specs.gaussian_matrix(shape[0], shape[1], 2)

    def loss(centre, method, a):
        svd = truncated_svd(centre(a), 3, method=method)
        return jnp.sum(w * jnp.sin(low_rank(centre(a), 3, method=method))) + jnp.sum(svd.s**2) + jnp.sum(svd.u**4)

    found = jax.jit(jax.value_and_grad(partial(loss, centred, method)))(a)
    expected = jax.jit(jax.value_and_grad(partial(loss, lambda a: a - a.mean(0), Exact())))(a)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-9)
    np.testing.assert_allclose(found[1], expected[1], atol=1e-6)


def test_the_residual_of_an_operator():
    a = decaying(50, 35).astype(jnp.float32)
    svd = truncated_svd(centred(a), 3, method=Randomized(tolerance=1e-4))
    assert float(residual(centred(a), svd).max()) <= 1e-4 * float(svd.s[0])


def test_entries_of_a_sparse_matrix(float64):
    full = np.where(np.random.default_rng(0).random((60, 45)) < 0.2, specs.gaussian_matrix(60, 45), 0)
    full[:, 0] += 3
    a = BCOO.fromdense(jnp.asarray(full))

    def loss(data, method):
        return jnp.sum(truncated_svd(sparse(BCOO((data, a.indices), shape=a.shape)), 2, method=method).s[:1])

    def dense(full):
        return jnp.sum(truncated_svd(full, 2, method=Exact()).s[:1])

    expected = jax.jit(jax.grad(dense))(jnp.asarray(full))[tuple(a.indices.T)]
    np.testing.assert_allclose(jax.grad(loss)(a.data, METHOD), expected, atol=1e-8)


def _times(d, x):
    return d[:, None] * x


def test_a_batch_of_parameters():
    d = jnp.asarray(np.abs(specs.gaussian_matrix(3, 40)) + 0.1, jnp.float32)

    def values(d):
        return truncated_svd(LinearOperator(d, _times, _times, (40, 40)), 2, method=Randomized(tolerance=1e-5)).s

    np.testing.assert_allclose(jax.vmap(values)(d), -np.sort(-d, axis=-1)[:, :2], rtol=1e-4)


def test_an_operator_cannot_be_sharded():
    with pytest.raises(ValueError, match=r"`axis_name` is for arrays"):
        truncated_svd(centred(jnp.ones((8, 9))), 2, axis_name="data")
