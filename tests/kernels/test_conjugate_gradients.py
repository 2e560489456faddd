import jax.numpy as jnp
import numpy as np

from fastrrae_kernels.conjugate_gradients import PATIENCE, conjugate_gradients


def test_each_row_has_its_own_matrix(float64):
    rng = np.random.default_rng(0)
    half = rng.standard_normal((2, 12, 12))
    spd = jnp.asarray(half @ half.swapaxes(1, 2) + np.eye(12))
    shifts, b = np.array([0.0, 1.0, 100.0]), rng.standard_normal((2, 3, 12))
    solution = conjugate_gradients(lambda x: x @ spd + shifts[:, None] * x, lambda x: x, jnp.asarray(b))
    for i, shift in enumerate(shifts):
        expected = np.linalg.solve(spd + shift * np.eye(12), b[:, i, :, None])
        np.testing.assert_allclose(solution.x[:, i, :, None], expected, rtol=1e-10)
    assert solution.residual.shape == (2, 3)
    assert float(solution.residual.max()) < 1e-14


def test_the_cap_is_kept_and_the_residual_says_so(float64):
    diagonal = jnp.logspace(0, 6, 50)
    b = jnp.ones((1, 50))
    solution = conjugate_gradients(lambda x: diagonal * x, lambda x: x, b, iterations=10)
    remainder = jnp.linalg.norm(b - diagonal * solution.x) / jnp.linalg.norm(b)
    np.testing.assert_allclose(solution.residual[0], remainder, rtol=1e-6)
    assert float(remainder) > 1e-3


def test_zero_and_indefinite_rows_stop_finite():
    diagonal = jnp.array([1.0, -1.0])
    solution = conjugate_gradients(lambda x: diagonal * x, lambda x: x, jnp.array([[0.0, 0.0], [1.0, 2.0]]))
    assert jnp.isfinite(solution.x).all()
    np.testing.assert_array_equal(solution.x[0], 0)
    assert float(solution.residual[1]) > 0.1


def test_a_row_whose_residual_cannot_fall_stops_soon(float64):
    """The preconditioner leaves one coordinate alone, which keeps its share of the residual."""
    diagonal, reached = jnp.linspace(1.0, 4.0, 9), jnp.ones(9).at[0].set(0.0)
    solution = conjugate_gradients(lambda x: diagonal * x, lambda x: reached * x, jnp.ones((1, 9)))
    np.testing.assert_allclose(solution.x[0], reached / diagonal, rtol=1e-12)
    np.testing.assert_allclose(solution.residual[0], 1 / 3, rtol=1e-12)
    assert int(solution.iterations) <= 9 + PATIENCE
