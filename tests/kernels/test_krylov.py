"""The Krylov engine where it can go wrong: noise, clusters at the cut, low rank, flat spectra, extreme scales."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fastrrae_kernels import Auto, Exact, Randomized, low_rank, residual, specs, truncated_svd
from fastrrae_kernels.cholesky_qr import inverse_of_factor, orthonormal_columns
from fastrrae_kernels.methods.auto import blocks_worth_trying
from fastrrae_kernels.methods.krylov import Search, krylov_basis
from fastrrae_kernels.operands import Dense, scale_of

K = 5
SPECTRA = {
    "harmonic": lambda i: 1 / (1 + i),
    "slow": lambda i: (1 + i) ** -0.5,
    "flat": lambda i: 1 - 0.5 * i / len(i),
    "low rank and noise": lambda i: np.where(i < K, 1.0, 1e-3),
    "low rank and rounding": lambda i: np.where(i < K, 1.0, 1e-7),
    "clustered at the cut": lambda i: np.where(i < K - 1, 2.0, np.where(i < K + 3, 1 + 1e-6 * i, 0.3)),
    "rank below k": lambda i: np.where(i < 3, 1.0, 0.0),
    "zero": lambda i: 0.0 * i,
}


def matrix(values, m, n, seed=0):
    d = len(values)
    left = np.linalg.qr(specs.gaussian_matrix(m, d, seed))[0]
    right = np.linalg.qr(specs.gaussian_matrix(n, d, seed + 1))[0]
    return (left * values) @ right.T


@pytest.mark.parametrize("transposed", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_the_promise_of_the_tolerance(transposed):
    m, n = (130, 90) if transposed else (90, 130)
    for tolerance in (1e-2, 1e-5):
        run = jax.jit(lambda a, t=tolerance: truncated_svd(a, K, method=Randomized(tolerance=t, iterations=300)))
        for name, spectrum in SPECTRA.items():
            for scale in (1.0, 1e-18, 1e18):
                exact = matrix(spectrum(np.arange(90.0)), m, n)
                a = (exact * scale).astype(np.float32)
                svd = run(a)
                svd = svd._replace(s=svd.s / np.float32(scale))
                values = np.linalg.svd(exact, compute_uv=False)
                left = float(residual(jnp.asarray(exact, jnp.float32), svd).max())
                assert left <= (tolerance + 3e-6) * max(values[0], 1e-30), (name, scale)
                assert np.abs(svd.s - values[:K]).max() <= (tolerance + 2e-6) * values[0], (name, scale)
                assert np.abs(svd.u.T @ svd.u - np.eye(K)).max() <= 1e-5, (name, scale)
                assert np.abs(svd.vt @ svd.vt.T - np.eye(K)).max() <= 1e-5, (name, scale)


@pytest.mark.slow
def test_rank_and_noise_at_a_large_size():
    """A block that is orthogonalised once only comes out wrong here by more than a half."""
    a = matrix(np.where(np.arange(500) < 20, 1.0, 1e-4), 20000, 500).astype(np.float32)
    svd = truncated_svd(a, 20, method=Randomized(tolerance=1e-5))
    assert float(residual(jnp.asarray(a), svd).max()) <= 1e-5
    np.testing.assert_allclose(svd.s, np.ones(20), atol=1e-5)
    np.testing.assert_allclose(svd.u.T @ svd.u, np.eye(20), atol=1e-5)


def test_dependent_columns_become_orthonormal_outside_of_a_basis():
    rng = np.random.default_rng(0)
    x = np.linalg.qr(rng.standard_normal((60, 20)))[0].astype(np.float32)
    within = x @ rng.standard_normal((20, 6))
    for z in (within, 0 * within, np.repeat(within[:, :1], 6, 1), rng.standard_normal((60, 2)) @ np.ones((2, 6))):
        q = np.asarray(orthonormal_columns(jnp.asarray(z, jnp.float32), jnp.asarray(x)))
        np.testing.assert_allclose(q.T @ q, np.eye(6), atol=3e-6)
        np.testing.assert_allclose(x.T @ q, 0, atol=3e-6)


@pytest.mark.parametrize("transposed", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_derivatives_equal_those_of_exact(float64, transposed):
    a = matrix(np.concatenate([[2, 2, 1.5, 1.2, 1], np.linspace(0.8, 0.1, 35)]), 40, 55)  # repeated kept values
    a = jnp.asarray(a.T if transposed else a)
    w = specs.gaussian_matrix(a.shape[0], a.shape[1], 2)
    method = Randomized(oversample=2, tolerance=1e-12, iterations=1000)

    def loss(a, method):
        return jnp.sum(w * jnp.sin(low_rank(a, K, method=method))) + jnp.sum(truncated_svd(a, K, method=method).s ** 3)

    def directional(a, method):  # of low_rank alone: at repeated values, the factors have no second derivative
        return jnp.sum(w * jax.grad(lambda a: jnp.sum(w * jnp.sin(low_rank(a, K, method=method))))(a))

    for function in (loss, directional):
        gradient = jax.jit(jax.grad(function), static_argnums=1)
        np.testing.assert_allclose(gradient(a, method), gradient(a, Exact()), atol=1e-7)


def test_auto_iterates_where_that_pays():
    assert blocks_worth_trying(jnp.float32, 4096, 4096, 32) >= 12
    assert blocks_worth_trying(jnp.float32, 2000, 8000, 50) >= 12
    assert blocks_worth_trying(jnp.float32, 512, 100000, 16) == 0
    assert blocks_worth_trying(jnp.float32, 128, 128, 2) == 0
    assert blocks_worth_trying(jnp.float32, 576, 512, 186) == 0
    assert blocks_worth_trying(jnp.float64, 4096, 4096, 32) == 0
    assert blocks_worth_trying(jnp.float32, 4096, 4096, 32, sharded=True) == 0


@pytest.mark.parametrize("spectrum", ["harmonic", "low rank and noise", "rank below k", "zero", "flat"])
def test_auto_keeps_full_accuracy_where_it_iterates(spectrum):
    m, n, k = 260, 280, 4
    assert blocks_worth_trying(jnp.float32, m, n, k)
    exact = matrix(SPECTRA[spectrum](np.arange(260.0)), m, n)
    a = exact.astype(np.float32)
    values = np.linalg.svd(exact, compute_uv=False)
    u, s, vt = truncated_svd(a, k, method=Auto())
    assert np.abs(s - values[:k]).max() <= 2e-6 * values[0]
    assert np.abs(u.T @ u - np.eye(k)).max() <= 1e-5
    assert np.abs(vt @ vt.T - np.eye(k)).max() <= 1e-5
    bound = (1 + 1e-4) * np.linalg.norm(values[k:]) + 3e-6 * np.linalg.norm(values)
    assert np.linalg.norm(exact - (u * s) @ vt) <= bound


@pytest.mark.parametrize("iterations", [2, 4, 9])
def test_the_stopping_test_knows_the_residual(iterations):
    """Also after restarts: against the residual of the triplets within the basis, from the matrix itself."""
    a = matrix((1 + np.arange(90.0)) ** -0.5, 90, 130)
    dense = Dense(jnp.asarray(a, jnp.float32), scale_of(jnp.ones((1, 1))), jnp.ones((1, 1), bool), transposed=False)
    search = Search(rank=K, block=8, iterations=iterations, tolerance=1e-3, axis_name=None)
    ritz = jax.jit(lambda a, x: krylov_basis(search, a, x))(dense, jnp.eye(90, 8))
    x = np.asarray(ritz.basis.x, float)
    left, s, right = np.linalg.svd(x.T @ a, full_matrices=False)
    expected = np.linalg.norm(a @ right[:K].T - x @ left[:, :K] * s[:K], axis=0).max() / s[0]
    assert iterations == 9 or expected > search.tolerance
    np.testing.assert_allclose(ritz.error, expected, rtol=0.02)


def test_the_inverse_of_a_factor_needs_no_triangular_solve_on_a_cpu():
    rng = np.random.default_rng(0)
    for size in (1, 3, 8, 13):
        rows = rng.standard_normal((2, size, 3 * size))
        lower = np.linalg.cholesky(rows @ rows.swapaxes(1, 2))
        compiled = jax.jit(inverse_of_factor).lower(jnp.asarray(lower, jnp.float32)).compile()
        assert "trsm" not in str(compiled.as_text())
        inverse = np.asarray(compiled(jnp.asarray(lower, jnp.float32)))
        np.testing.assert_allclose(inverse @ lower, np.broadcast_to(np.eye(size), lower.shape), atol=2e-6)
        np.testing.assert_array_equal(np.triu(inverse, 1), 0)


def test_an_iteration_that_would_not_get_there_ends_early():
    search = Search(rank=K, block=8, iterations=12, tolerance=1e-6, axis_name=None, patience=3)
    errors = {}
    for name, settings in {"patient": search, "short": search._replace(iterations=3, patience=None)}.items():
        run = jax.jit(lambda a, x, settings=settings: krylov_basis(settings, a, x).error)
        for spectrum in ("flat", "low rank and noise", "harmonic"):
            a = jnp.asarray(matrix(SPECTRA[spectrum](np.arange(90.0)), 90, 130), jnp.float32)
            dense = Dense(a, scale_of(jnp.ones((1, 1))), jnp.ones((1, 1), bool), transposed=False)
            errors[name, spectrum] = float(run(dense, jnp.eye(90, 8)))
    assert errors["patient", "flat"] == errors["short", "flat"] > 1e-3
    assert errors["patient", "harmonic"] <= 1e-6 < errors["short", "harmonic"]
    assert errors["patient", "low rank and noise"] <= 1e-6
