"""Derivatives against finite differences in float64, the element-wise reference, and each other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from fastrrae_kernels import Exact, Gram, low_rank, low_rank_and_svd, reference, specs, truncated_svd

pytestmark = pytest.mark.usefixtures("float64")

METHODS = [Exact(), Gram()]
SHAPES = [(8, 13, 3), (13, 8, 3), (9, 9, 4), (6, 10, 6), (10, 6, 6), (1, 5, 1), (5, 1, 1)]
SCALES = jnp.asarray([1.0, 1e-3, 1e3])


def central_difference(f, a, direction, step=1e-6):
    return (f(a + step * direction) - f(a - step * direction)) / (2 * step)


def sign_free_loss(m, n, rank, method):
    """A loss that weighs every entry of u, s and vt, but does not see the sign of a triplet."""
    rng = np.random.default_rng(3)
    weights = rng.standard_normal((m, n, rank)), rng.standard_normal(rank)

    def loss(a):
        u, s, vt = truncated_svd(a, rank, method=method)
        pairs = u[:, None, :] * vt.T[None, :, :]
        return jnp.sum(weights[0] * (pairs + pairs**2)) + jnp.sum(weights[1] * s**2)

    return loss


def directional_error(loss, a, seed=5):
    direction = specs.gaussian_matrix(a.shape[0], a.shape[1], seed)
    value_and_slope = jax.jit(lambda a, d: jax.jvp(loss, (a,), (d,)))  # one program gives both
    expected = central_difference(lambda a: value_and_slope(a, direction)[0], a, direction)
    reverse = jnp.sum(jax.jit(jax.grad(loss))(a) * direction)
    _, forward = value_and_slope(a, direction)
    return max(abs(reverse - expected), abs(forward - expected)) / max(1, abs(expected))


@pytest.mark.parametrize("method", METHODS, ids=repr)
@pytest.mark.parametrize(("m", "n", "k"), SHAPES)
def test_low_rank_against_finite_differences(method, m, n, k):
    a, w = specs.gaussian_matrix(m, n), specs.gaussian_matrix(m, n, 2)
    assert directional_error(lambda a: jnp.sum(w * jnp.sin(low_rank(a, k, method=method))), a) < 1e-7


@pytest.mark.parametrize("method", METHODS, ids=repr)
@pytest.mark.parametrize(("m", "n", "k"), SHAPES)
def test_truncated_svd_against_finite_differences(method, m, n, k):
    assert directional_error(sign_free_loss(m, n, k, method), specs.gaussian_matrix(m, n)) < 1e-7


@pytest.mark.parametrize("shape", specs.SHAPES[:3], ids=lambda s: s.name)
def test_directional_derivatives_at_the_papers_shapes(shape):
    a, w = specs.gaussian_matrix(shape.m, shape.n), specs.gaussian_matrix(shape.m, shape.n, 2)
    assert directional_error(lambda a: jnp.sum(w * jnp.tanh(low_rank(a, shape.k))), a) < 1e-6
    assert directional_error(lambda a: jnp.sum(jnp.arange(shape.k) * jnp.log(truncated_svd(a, shape.k).s)), a) < 1e-6


@pytest.mark.parametrize("method", METHODS, ids=repr)
@pytest.mark.parametrize(("m", "n", "k"), [(6, 9, 3), (9, 6, 3)])
def test_low_rank_against_the_divided_difference_reference(method, m, n, k):
    a, direction = specs.gaussian_matrix(m, n), specs.gaussian_matrix(m, n, 4)
    expected = reference.low_rank_derivative(a, k, direction)
    _, tangent = jax.jvp(jax.jit(lambda a: low_rank(a, k, method=method)), (jnp.asarray(a),), (jnp.asarray(direction),))
    (cotangent,) = jax.vjp(jax.jit(lambda a: low_rank(a, k, method=method)), jnp.asarray(a))[1](jnp.asarray(direction))
    np.testing.assert_allclose(tangent, expected, atol=1e-12)
    np.testing.assert_allclose(cotangent, expected, atol=1e-12)  # the derivative is its own adjoint


@pytest.mark.parametrize("method", METHODS, ids=repr)
@pytest.mark.parametrize(("m", "n"), [(6, 9), (9, 6)])
def test_agrees_with_automatic_differentiation_of_the_full_svd(method, m, n):
    a, w, k = specs.gaussian_matrix(m, n), specs.gaussian_matrix(m, n, 2), 3

    def plain(a):
        u, s, vt = jnp.linalg.svd(a, full_matrices=False)
        return jnp.sum(w * ((u[:, :k] * s[:k]) @ vt[:k]))

    def ours(a):
        u, s, vt = truncated_svd(a, k, method=method)
        return jnp.sum(w * ((u * s) @ vt))

    np.testing.assert_allclose(jax.jit(jax.grad(ours))(a), jax.jit(jax.grad(plain))(a), atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(("method", "m", "n"), [(Exact(), 5, 7), (Gram(), 7, 5)], ids=str)
def test_second_order_in_every_mode(method, m, n):
    a, w = specs.gaussian_matrix(m, n), specs.gaussian_matrix(m, n, 2)
    approximation = jax.jit(lambda a: jnp.sum(w * low_rank(a, 2, method=method) ** 2))
    vectors = jax.jit(lambda a: jnp.sum(w * truncated_svd(a, 2, method=method).u[..., :1] ** 2))
    check_grads(approximation, (a,), order=2, rtol=1e-5, eps=1e-4)
    check_grads(vectors, (a,), order=2, rtol=1e-5, eps=1e-4)


@pytest.mark.parametrize("method", METHODS, ids=repr)
@pytest.mark.parametrize("transposed", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_low_rank_is_exact_where_kept_values_are_tied(method, transposed):
    q = np.linalg.qr(specs.gaussian_matrix(8, 8))[0]
    p = np.linalg.qr(specs.gaussian_matrix(12, 12, 1))[0][:8]
    a = (q * np.array([2.0, 2.0, 2.0, 1.0, 0.5, 0.5, 0.5, 0.1])) @ p
    a = a.T if transposed else a
    w = specs.gaussian_matrix(a.shape[0], a.shape[1], 2)
    for k in (3, 4, 7):  # among all ties, and with ties among the discarded values too
        assert directional_error(lambda a, k=k: jnp.sum(w * jnp.sin(low_rank(a, k, method=method))), a) < 1e-7
    expected = reference.low_rank_derivative(a, 3, w)
    (cotangent,) = jax.vjp(jax.jit(lambda a: low_rank(a, 3, method=method)), jnp.asarray(a))[1](jnp.asarray(w))
    np.testing.assert_allclose(cotangent, expected, atol=1e-10)


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_second_order_of_low_rank_at_ties(method):
    q = np.linalg.qr(specs.gaussian_matrix(6, 6))[0]
    p = np.linalg.qr(specs.gaussian_matrix(9, 9, 1))[0][:6]
    a = (q * np.array([2.0, 2.0, 1.0, 0.5, 0.5, 0.1])) @ p
    w, v = specs.gaussian_matrix(6, 9, 2), specs.gaussian_matrix(6, 9, 3)

    def gradient(a):
        return jnp.sum(v * jax.grad(lambda a: jnp.sum(w * jnp.sin(low_rank(a, 3, method=method))))(a))

    assert directional_error(gradient, a) < 1e-6


@pytest.mark.parametrize("method", METHODS, ids=repr)
@pytest.mark.parametrize("transposed", [False, True])
def test_truncated_svd_at_ties_is_right_for_spans_and_symmetric_functions(method, transposed):
    q = np.linalg.qr(specs.gaussian_matrix(8, 8))[0]
    p = np.linalg.qr(specs.gaussian_matrix(12, 12, 1))[0][:8]
    a = (q * np.array([2.0, 2.0, 1.0, 0.5, 0.4, 0.3, 0.2, 0.1])) @ p
    a = a.T if transposed else a
    w = specs.gaussian_matrix(20, 20, 2)

    def loss(a):
        u, s, vt = truncated_svd(a, 3, method=method)
        tied = (u[:, :2] @ u[:, :2].T, u[:, :2] @ vt[:2], vt[:2].T @ vt[:2], u @ u.T, jnp.sum(s**3)[None, None])
        return sum(jnp.sum(w[: x.shape[0], : x.shape[1]] * jnp.sin(x)) for x in tied)

    assert directional_error(loss, a) < 1e-7


@pytest.mark.parametrize("method", [pytest.param(Exact(), marks=pytest.mark.slow), Gram()], ids=repr)
def test_second_derivatives_along_tangents_that_vary(float64, method):
    """Those of functions of functions: the Hessian of a loss in the parameters of a network."""
    function = jax.jit(lambda x, scale: low_rank(jnp.tanh(x) * scale, 3, method=method) / scale)
    a = jnp.asarray(specs.gaussian_matrix(6, 9))
    for scale in SCALES:
        check_grads(lambda x, scale=scale: function(x, scale), (a,), order=2, rtol=1e-4, eps=1e-4)


def test_second_derivatives_of_factors_along_tangents_that_vary(float64):
    a, w = jnp.asarray(specs.gaussian_matrix(6, 9)), specs.gaussian_matrix(6, 9, 2)

    @jax.jit
    def function(x, scale):
        y, svd = low_rank_and_svd(jnp.tanh(x) * scale, 3)
        return jnp.sum(y * w) / scale + jnp.sum((svd.u @ svd.vt) * w) + jnp.sum(svd.s**2) / scale**2

    for scale in SCALES:
        check_grads(lambda x, scale=scale: function(x, scale), (a,), order=2, rtol=1e-4, eps=1e-4)
