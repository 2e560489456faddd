"""The tridiagonal form and its eigenvectors, by the interpreter: their identities, and what they do not promise."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fastrrae_kernels import specs
from fastrrae_kernels.tpu.tridiagonal import STAGE, tridiagonalise
from fastrrae_kernels.tpu.tridiagonal_eigenvectors import eigenvectors


@jax.jit
def decompose(a):
    t = tridiagonalise(a, interpret=True)
    return t, eigenvectors(t, interpret=True).vectors


def gram(d, spectrum="gaussian", seed=0):
    if spectrum == "gaussian":
        a = specs.gaussian_matrix(d, d + 12, seed)
    else:
        a = specs.matrix_with_spectrum(spectrum, d, d + 12, seed)
    return (a @ a.T).astype(np.float32)


def rebuilt(t, index):
    """`q t q^T` in float64."""
    diagonal, off_diagonal = (np.asarray(x[index, 0], np.float64) for x in (t.diagonal, t.off_diagonal))
    a = np.diag(diagonal) + np.diag(off_diagonal[:-1], 1) + np.diag(off_diagonal[:-1], -1)
    for h in np.asarray(t.reflections[index], np.float64)[::-1]:
        reflection = np.eye(len(a)) - np.outer(h, h)
        np.testing.assert_allclose(reflection @ reflection, np.eye(len(a)), atol=2e-6)
        a = reflection @ a @ reflection
    return a


@pytest.mark.parametrize("d", [8, 40, STAGE + 8])
def test_the_matrix_is_its_tridiagonal_form_reflected_back(d):
    a = np.stack([gram(d), gram(d, "tied"), np.eye(d, dtype=np.float32), np.zeros((d, d), np.float32)])
    t, _ = decompose(a)
    for index in range(len(a)):
        np.testing.assert_allclose(rebuilt(t, index), a[index], atol=3e-6 * float(np.linalg.norm(a[index], 2)) + 1e-30)
    assert float(jnp.max(jnp.abs(t.off_diagonal[:, 0, -1]))) == 0


@pytest.mark.parametrize("spectrum", ["gaussian", "harmonic", "geometric"])
@pytest.mark.parametrize("d", [8, 40, STAGE + 8])
def test_eigenvectors_of_values_that_are_apart(d, spectrum):
    a = gram(d, spectrum)
    vectors = np.asarray(decompose(a[None])[1][0], np.float64)
    largest = float(np.linalg.norm(a, 2))
    turned = vectors.T @ a @ vectors
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=0), 1, atol=1e-5)
    np.testing.assert_allclose(np.sort(np.diag(turned)), np.linalg.eigvalsh(a), atol=3e-6 * largest)
    np.testing.assert_allclose(turned - np.diag(np.diag(turned)), 0, atol=3e-5 * largest)


def test_every_vector_leaves_a_residual_of_rounding_even_where_values_are_tied():
    a = gram(40, "tied")
    vectors = np.asarray(decompose(a[None])[1][0], np.float64)
    values = np.sum(vectors * (a @ vectors), axis=0)
    np.testing.assert_allclose(a @ vectors - vectors * values, 0, atol=3e-6)


def test_what_is_not_coupled_is_not_mixed():
    """Rows of zeros, and blocks with the same eigenvalues, each keep vectors of their own."""
    block = gram(8)
    a = np.zeros((24, 24), np.float32)
    a[:8, :8] = a[8:16, 8:16] = block
    vectors = np.asarray(decompose(a[None])[1][0], np.float64)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(24), atol=1e-5)
    for start in (0, 8, 16):
        np.testing.assert_allclose(np.linalg.norm(vectors[start : start + 8, start : start + 8], axis=0), 1, atol=1e-5)


def test_nan_stays_in_its_matrix():
    a = np.stack([gram(8), gram(8)])
    a[0, 2, 5] = a[0, 5, 2] = np.nan
    vectors = decompose(a)[1]
    assert not np.all(np.isfinite(vectors[0]))
    np.testing.assert_allclose(vectors[1].T @ vectors[1], np.eye(8), atol=1e-5)


def test_the_matrices_of_a_stack_do_not_depend_on_each_other():
    """Eight are taken at a time, and the last eight are filled up; one has NaN, and all end at their own time."""
    a = np.stack([gram(24, spectrum, seed) for seed in range(4) for spectrum in ("gaussian", "harmonic", "tied")])[:11]
    damaged = a.copy()
    damaged[5, 3, 3] = np.nan
    together = eigen_of(damaged)
    for number in (*range(5), *range(6, len(a))):
        for got, expected in zip(together, eigen_of(np.stack([a[number]] * len(a))), strict=True):
            np.testing.assert_array_equal(got[number], expected[number])
    assert np.all(np.isnan(together[0][5]))
    assert len(set(np.asarray(together[2]).tolist())) > 1


@jax.jit
def eigen_of(a):
    found = eigenvectors(tridiagonalise(a, interpret=True), interpret=True)
    return found.values, found.vectors, found.passes
