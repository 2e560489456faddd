"""Products with a dense matrix, in the forms that are fast on a CPU."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fastrrae_kernels import operands
from fastrrae_kernels.operands import Oriented

COLUMNS = 4


@pytest.mark.parametrize("rows", [96, 97])  # as many parts as there are cores, or one, since 97 is a prime
@pytest.mark.parametrize("transposed", [False, True])
def test_sums_over_many_rows_are_those_of_numpy(float64, monkeypatch, rows, transposed):
    monkeypatch.setattr(operands, "MANY_ENTRIES", 0)
    monkeypatch.setattr(operands.os, "cpu_count", lambda: 4)
    assert operands._parts(rows) == (4 if rows == 96 else 1)
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


def test_small_and_wide_matrices_stay_in_one_part():
    for shape in ((64, 200), (576, 100), (4096, 4096), (3, 20000, 500)):
        x = jax.ShapeDtypeStruct((*shape[:-1], 8), jnp.float32)
        text = jax.jit(operands._sum_over_rows).lower(x, jax.ShapeDtypeStruct(shape, jnp.float32)).as_text()
        assert "reshape" not in text
    x, a = (jax.ShapeDtypeStruct((20000, columns), jnp.float32) for columns in (8, 500))
    assert ("reshape" in jax.jit(operands._sum_over_rows).lower(x, a).as_text()) == (operands._parts(20000) > 1)
