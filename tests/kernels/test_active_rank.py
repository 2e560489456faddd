"""A rank that is data gives what the same rank as a constant gives, values and derivatives, in one program."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from fastrrae_kernels import Exact, Gram, Randomized, low_rank, low_rank_and_svd, reference, specs, truncated_svd

METHODS = [Exact(), Gram()]
SHAPES = [(8, 13), (13, 8), (6, 6)]


@pytest.mark.parametrize("method", METHODS, ids=repr)
@pytest.mark.parametrize(("m", "n"), SHAPES)
@pytest.mark.parametrize("active", [1, 3, 5, 6])
def test_values_are_those_of_that_rank(float64, method, m, n, active):
    a = specs.gaussian_matrix(m, n)
    svd, own = truncated_svd(a, 6, method=method, active_rank=active), truncated_svd(a, active, method=method)
    np.testing.assert_allclose(svd.s, np.pad(own.s, (0, 6 - active)), atol=1e-13)
    np.testing.assert_allclose((svd.u * svd.s) @ svd.vt, (own.u * own.s) @ own.vt, atol=1e-13)
    assert not np.any(svd.u[:, active:])
    assert not np.any(svd.vt[active:])
    reduced = low_rank(a, 6, method=method, active_rank=active)
    np.testing.assert_allclose(reduced, low_rank(a, active, method=method), atol=1e-13)


@partial(jax.jit, static_argnames=("rank", "method"))
@jax.grad
def gradient(a, w, active, *, rank, method):
    """Of a function of the approximation; compiled once for all active ranks of a shape and method."""
    return jnp.sum(w * jnp.sin(low_rank(a, rank, method=method, active_rank=active)))


@pytest.mark.parametrize("method", [*METHODS, Randomized(tolerance=1e-12)], ids=repr)
@pytest.mark.parametrize(("m", "n"), SHAPES)
@pytest.mark.parametrize("active", [1, 3, 5])
def test_gradients_are_those_of_that_rank(float64, method, m, n, active):
    a, w = specs.gaussian_matrix(m, n), specs.gaussian_matrix(m, n, 2)
    towards = w * np.cos(reference.low_rank(a, active))  # the derivative of the approximation is its own adjoint
    expected = reference.low_rank_derivative(a, active, towards)
    np.testing.assert_allclose(gradient(a, w, active, rank=5, method=method), expected, atol=1e-9)


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_gradients_of_the_factors_are_those_of_that_rank(float64, method):
    a, weights = specs.gaussian_matrix(9, 7), specs.gaussian_matrix(9, 7, 2)

    def loss(a, rank, **options):
        svd = truncated_svd(a, rank, method=method, **options)
        return jnp.sum(weights * (svd.u @ svd.vt)) + jnp.sum(svd.s**3)

    gradient = jax.jit(jax.grad(loss), static_argnums=1)
    np.testing.assert_allclose(gradient(a, 5, active_rank=3), gradient(a, 3), atol=1e-9)


def test_derivatives_of_second_order(float64):
    a = jnp.asarray(specs.gaussian_matrix(5, 7))
    function = jax.jit(lambda a: jnp.sin(low_rank(a, 4, active_rank=2)))
    check_grads(function, (a,), order=2, modes=("fwd", "rev"), rtol=1e-5)


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_ties_of_kept_values_and_of_others_do_not_matter(float64, method):
    values = np.array([2.0, 2.0, 2.0, 1.0, 1.0, 1.0, 0.0])  # ties within, and across the static rank 5
    u, _, vt = np.linalg.svd(specs.gaussian_matrix(9, 7), full_matrices=False)
    a, w = (u * values) @ vt, specs.gaussian_matrix(9, 7, 2)
    found = jax.jit(jax.grad(lambda a: jnp.sum(w * low_rank(a, 5, method=method, active_rank=3))))(a)
    expected = jax.jit(jax.grad(lambda a: jnp.sum(w * low_rank(a, 3, method=method))))(a)
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_a_latent_matrix_that_has_reached_a_lower_rank_keeps_its_gradient(float64):
    a = specs.gaussian_matrix(9, 2) @ specs.gaussian_matrix(2, 7, 3)
    w = specs.gaussian_matrix(9, 7, 2)
    found = jax.jit(jax.grad(lambda a: jnp.sum(w * low_rank(a, 5, active_rank=2))))(a)
    np.testing.assert_allclose(found, jax.jit(jax.grad(lambda a: jnp.sum(w * low_rank(a, 2))))(a), atol=1e-9)


def test_one_program_serves_all_ranks(float64):
    traces = []

    @jax.jit
    def reduced(a, active):
        traces.append(active)
        return low_rank_and_svd(a, 6, active_rank=active)[0]

    a = specs.gaussian_matrix(8, 13)
    for active in (6, 4, 2):
        np.testing.assert_allclose(reduced(a, active), low_rank(a, active), atol=1e-13)
    assert len(traces) == 1


def test_a_rank_for_each_matrix_of_a_stack(float64):
    a = np.stack([specs.gaussian_matrix(8, 13, seed) for seed in range(3)])
    ranks = jnp.array([1, 4, 6])
    expected = np.stack([low_rank(matrix, int(rank)) for matrix, rank in zip(a, ranks, strict=True)])
    np.testing.assert_allclose(low_rank(a, 6, active_rank=ranks), expected, atol=1e-13)
    mapped = jax.vmap(lambda a, rank: low_rank(a, 6, active_rank=rank))(a, ranks)
    np.testing.assert_allclose(mapped, expected, atol=1e-13)


def test_ranks_that_do_not_fit_are_refused():
    a = specs.gaussian_matrix(8, 13).astype(np.float32)
    with pytest.raises(ValueError, match=r"`active_rank` must be at least 0 and at most `rank` = 4; got 5"):
        low_rank(a, 4, active_rank=5)
    with pytest.raises(TypeError, match="`active_rank` must be an integer"):
        truncated_svd(a, 4, active_rank=2.0)
