"""Products with a dense matrix, in the forms that are fast on a CPU."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fastrrae_kernels import matrices
from fastrrae_kernels.operands import Oriented

COLUMNS = 4


@pytest.mark.parametrize("rows", [96, 97])  # as many parts as there are cores, or one, since 97 is a prime
@pytest.mark.parametrize("transposed", [False, True])
def test_sums_over_many_rows_are_those_of_numpy(float64, monkeypatch, rows, transposed):
    monkeypatch.setattr(matrices, "MANY_ENTRIES", 0)
    monkeypatch.setattr(matrices, "TALL", 8)
    monkeypatch.setattr(matrices.os, "cpu_count", lambda: 4)
    assert matrices._parts((rows, 3), (rows, COLUMNS)) == (4 if rows == 96 else 1)
    rng = np.random.default_rng(0)
    a, x, y = rng.standard_normal((rows, COLUMNS)), rng.standard_normal((rows, 3)), rng.standard_normal((rows, 3))

    def product(a, x):
        return Oriented(a, True) @ x if transposed else (x.mT @ Oriented(a, False)).mT

    arguments = tuple(jnp.asarray(value) for value in (a, x))
    np.testing.assert_allclose(jax.jit(product)(*arguments), a.T @ x, atol=1e-12)
    _, derivative = jax.jvp(product, arguments, tuple(jnp.asarray(value) for value in (2 * a, y)))
    np.testing.assert_allclose(derivative, 2 * a.T @ x + a.T @ y, atol=1e-12)
    weights = rng.standard_normal((COLUMNS, 3))
    gradients = jax.grad(lambda a, x: jnp.sum(weights * product(a, x)), argnums=(0, 1))(*arguments)
    for got, expected in zip(gradients, (x @ weights.T, a @ weights), strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-12)
    stacked = jax.vmap(product)(*(jnp.stack([value, -value]) for value in arguments))
    np.testing.assert_allclose(stacked, [a.T @ x] * 2, atol=1e-12)


@pytest.mark.parametrize(("first", "second"), [(3, COLUMNS), (COLUMNS, 3)])  # the narrow factor is multiplied first
def test_either_factor_may_be_the_wider_one(float64, monkeypatch, first, second):
    monkeypatch.setattr(matrices, "MANY_ENTRIES", 0)
    monkeypatch.setattr(matrices, "TALL", 8)
    monkeypatch.setattr(matrices.os, "cpu_count", lambda: 4)
    rng = np.random.default_rng(0)
    x, a = (jnp.asarray(rng.standard_normal((96, width))) for width in (first, second))
    weights = rng.standard_normal((first, second))

    def weighted_sum(x, a):
        return jnp.sum(weights * matrices.product_over_rows(x, a))

    np.testing.assert_allclose(jax.jit(matrices.product_over_rows)(x, a), np.asarray(x).T @ a, atol=1e-12)
    for got, expected in zip(jax.grad(weighted_sum, (0, 1))(x, a), (a @ weights.T, x @ weights), strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-12)


def test_small_and_wide_matrices_stay_in_one_part(monkeypatch):
    monkeypatch.setattr(matrices.os, "cpu_count", lambda: 4)
    for rows, columns in ((64, 200), (576, 100), (4096, 4096), (20000, 2000)):
        assert matrices._parts((rows, 8), (rows, columns)) == 1
    assert matrices._parts((20000, 8), (20000, 500)) == 4
    assert matrices._parts((3, 20000, 8), (3, 20000, 500)) == 1
