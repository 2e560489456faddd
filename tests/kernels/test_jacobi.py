"""The Jacobi kernel and the SVD on top of it, by the interpreter: against LAPACK in float64, and their promises."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fastrrae_kernels import Exact, Gram, Randomized, low_rank, specs, truncated_svd
from fastrrae_kernels.tpu.gram_in_float32 import gram_in_float32
from fastrrae_kernels.tpu.jacobi import MOST_COLUMNS, TOLERANCE, jacobi_eigh


def eigh(a, **options):
    return jax.jit(lambda a: jacobi_eigh(a, interpret=True, **options))(jnp.asarray(a, jnp.float32))


def symmetric(d, seed=0):
    x = specs.gaussian_matrix(d, d, seed)
    return ((x + x.T) / 2).astype(np.float32)


def assert_decomposes(eigen, a, tolerance=2e-6):
    a = np.asarray(a, np.float64)
    values, vectors = np.asarray(eigen.values, np.float64), np.asarray(eigen.vectors, np.float64)
    size = max(np.abs(values).max(), 1e-30)
    np.testing.assert_allclose(values, np.linalg.eigvalsh(a)[::-1], atol=tolerance * size)
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(len(a)), atol=tolerance)
    np.testing.assert_allclose(vectors.T @ np.diag(values) @ vectors, a, atol=tolerance * size)
    assert float(eigen.residual) <= TOLERANCE


@pytest.mark.parametrize("d", [1, 2, 3, 8, 31, 64])
def test_any_size(d):
    a = symmetric(d)
    eigen = eigh(a)
    assert_decomposes(eigen, a)
    assert np.all(np.diff(eigen.values) <= 0)
    assert (d > 1) <= int(eigen.sweeps) <= 8


@pytest.mark.slow
@pytest.mark.parametrize("d", [200, 256, 511, 512])
def test_large_sizes(d):
    a = symmetric(d)
    assert_decomposes(eigh(a), a, tolerance=8e-6)  # of some four thousand rounds; `eigenbasis` has one or two sweeps


@pytest.mark.parametrize(
    "a",
    [np.zeros((6, 6)), np.eye(6), np.ones((6, 6)), np.diag([3.0, 1, 3, 1, 3, -2]), -np.ones((5, 5))],
    ids=["zero", "identity", "ones", "tied", "negative"],
)
def test_degenerate_matrices(a):
    assert_decomposes(eigh(a), a)


def test_a_stack_converges_one_by_one_and_nan_stays_in_its_matrix():
    a = np.stack([symmetric(6, seed) for seed in range(6)]).reshape(2, 3, 6, 6)
    a[0, 1] = np.eye(6)
    a[1, 2, 0, 3] = np.nan
    eigen = eigh(a)
    assert eigen.values.shape == (2, 3, 6)
    assert int(eigen.sweeps[0, 1]) == 0
    for index in [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]:
        assert_decomposes(jax.tree.map(lambda x, index=index: x[index], eigen), a[index])
    assert np.all(np.isnan(eigen.values[1, 2]))
    assert np.all(np.isnan(eigen.vectors[1, 2]))


def test_small_eigenvalues_of_graded_matrices_are_relatively_accurate():
    rows = specs.gaussian_matrix(12, 40)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    graded = (rows * np.logspace(0, -5, 12)[:, None]).astype(np.float32)
    a = graded @ graded.T
    expected = np.linalg.svd(graded.astype(np.float64), compute_uv=False) ** 2
    values = np.asarray(eigh(a, floor=1e-12).values)
    np.testing.assert_allclose(values, expected, rtol=1e-5)
    beside_the_largest = np.asarray(eigh(a).values)
    assert np.abs(beside_the_largest / expected - 1).max() > 1e-3  # what the floor is for


def test_matrices_beyond_the_kernel_are_refused():
    with pytest.raises(ValueError, match=f"up to {MOST_COLUMNS}; got {MOST_COLUMNS + 1}"):
        jacobi_eigh(jnp.zeros((MOST_COLUMNS + 1, MOST_COLUMNS + 1)))


SHAPES = [(24, 70, 9), (31, 33, 31)]
LARGE = [(64, 200, 2), (100, 576, 16), (64, 512, 60), (512, 576, 186)]


decompose = jax.jit(partial(gram_in_float32, interpret=True), static_argnums=0)


@pytest.mark.parametrize("spectrum", ["gaussian", *specs.SPECTRA])
@pytest.mark.parametrize(("p", "q", "k"), [*SHAPES, *(pytest.param(*s, marks=pytest.mark.slow) for s in LARGE)])
def test_accuracy_of_the_svd_in_float32(p, q, k, spectrum):
    """The table of the design: against LAPACK in float64, for every spectrum."""
    a = specs.gaussian_matrix(p, q) if spectrum == "gaussian" else specs.matrix_with_spectrum(spectrum, p, q)
    a = a.astype(np.float32)
    d = decompose(k, a)
    u, s, vt = (np.asarray(x, np.float64) for x in (d.u, d.s, d.vt))
    expected = np.linalg.svd(a.astype(np.float64), compute_uv=False)
    assert np.abs(s - expected[:k]).max() <= 2e-6 * expected[0]
    assert np.abs(d.discarded_s - expected[k:]).max(initial=0) <= 2e-6 * expected[0]
    np.testing.assert_allclose(u.T @ u, np.eye(k), atol=1e-5)
    np.testing.assert_allclose(vt @ vt.T, np.eye(k), atol=1e-5)
    np.testing.assert_allclose(u.T @ np.asarray(d.discarded_u), 0, atol=1e-5)
    optimum = np.linalg.norm(expected[k:])
    assert np.linalg.norm(a - (u * s) @ vt) <= (1 + 1e-4) * optimum + 3e-6 * np.linalg.norm(a)


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="is about CPUs")
def test_on_a_cpu_the_kernels_are_not_used_and_not_pretended():
    a = jnp.ones((8, 12))
    np.testing.assert_allclose(low_rank(a, 2, backend="auto"), low_rank(a, 2, backend="xla"))
    with pytest.raises(ValueError, match="interpret"):
        low_rank(a, 2, backend="pallas")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backend": "mosaic"}, '`backend` must be "auto", "xla" or "pallas"; got \'mosaic\''),
        ({"backend": "pallas", "method": Exact()}, r"has kernels for Gram\(\) only; got Exact\(\)"),
        ({"backend": "pallas", "method": Randomized()}, r"has kernels for Gram\(\) only"),
    ],
)
def test_what_a_backend_cannot_do_is_refused(options, message):
    for function in (low_rank, truncated_svd):
        with pytest.raises(ValueError, match=message):
            function(jnp.ones((6, 5)), 2, **options)


def test_sizes_and_types_beyond_the_kernels_are_refused(float64):
    with pytest.raises(ValueError, match="at most 512; got 513"):
        low_rank(jnp.ones((513, 600), jnp.float32), 2, backend="pallas")
    with pytest.raises(ValueError, match="computes in float32; got float64"):
        low_rank(jnp.ones((6, 5)), 2, method=Gram(), backend="pallas")
