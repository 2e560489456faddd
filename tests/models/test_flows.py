"""Flows: inverses, and densities against explicit Jacobians and numerical integration."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from fastrrae.models.flows import InverseAutoregressiveStep, NormalisingFlow
from fastrrae.models.flows.rational_quadratic import PARAMETERS, apply_spline, invert_spline

RNG = np.random.default_rng(0)


def perturbed(module, scale, seed=0):
    """The module with noise on all parameters, so that nothing is the identity."""
    rng = np.random.default_rng(seed)
    state = nnx.state(module, nnx.Param)
    nnx.update(module, jax.tree.map(lambda x: x + scale * rng.standard_normal(x.shape).astype(x.dtype), state))
    return module


def compiled(module, method=None):
    """A method of a module as one program: many small ones take long to compile."""
    graph, state = nnx.split(module)
    run = jax.jit(lambda state, *inputs: (getattr(nnx.merge(graph, state), method or "__call__"))(*inputs))
    return lambda *inputs: run(state, *inputs)


def flow_of(rank, seed=0):
    return perturbed(NormalisingFlow(rank, layers=4, width=8, rngs=nnx.Rngs(seed)), 0.2)


def test_a_spline_increases_is_inverted_and_its_slope_is_the_derivative(float64):
    x = jnp.linspace(-7, 7, 301)
    parameters = jnp.broadcast_to(2 * RNG.standard_normal(PARAMETERS), (len(x), PARAMETERS))

    @jax.jit
    def everything(x):
        y, log_slope = apply_spline(x, parameters)
        slope = jax.vmap(jax.grad(lambda x, p: apply_spline(x, p)[0]))(x, parameters)
        return y, log_slope, slope, invert_spline(y, parameters)

    y, log_slope, slope, back = map(np.asarray, everything(x))
    assert np.all(np.diff(y) > 0)
    np.testing.assert_allclose(back, x, atol=1e-9)
    np.testing.assert_allclose(np.exp(log_slope), slope, rtol=1e-9)
    np.testing.assert_array_equal(y[np.abs(x) >= 5], x[np.abs(x) >= 5])


def test_a_new_flow_is_the_standard_normal():
    flow = compiled(NormalisingFlow(3, rngs=nnx.Rngs(0)))
    z = jnp.asarray(3 * RNG.standard_normal((5, 3)), jnp.float32)
    u, log_determinant = flow(z)
    np.testing.assert_allclose(u, z, atol=1e-5)
    np.testing.assert_allclose(log_determinant, 0, atol=1e-5)


@pytest.mark.parametrize("rank", [1, 5])
def test_the_density_of_a_flow_is_the_change_of_variables_by_its_jacobian(rank):
    flow = flow_of(rank)
    graph, state = nnx.split(flow)

    @jax.jit
    def everything(z):
        flow = nnx.merge(graph, state)
        u, log_determinant = flow(z)
        jacobian = jax.jacfwd(lambda z: flow(z)[0])(z)  # (batch, rank, batch, rank): samples do not mix
        return u, log_determinant, jacobian, flow.log_prob(z), flow.inverse(u)

    z = jnp.asarray(2 * RNG.standard_normal((4, rank)), jnp.float32)
    u, log_determinant, jacobian, log_prob, back = map(np.asarray, everything(z))
    own = np.moveaxis(np.diagonal(jacobian, axis1=0, axis2=2), -1, 0)
    np.testing.assert_allclose(np.linalg.norm(jacobian), np.linalg.norm(own), rtol=1e-6)
    np.testing.assert_allclose(log_determinant, np.linalg.slogdet(own)[1], rtol=1e-4, atol=1e-4)
    normal = -0.5 * np.sum(u**2, axis=1) - 0.5 * rank * np.log(2 * np.pi)
    np.testing.assert_allclose(log_prob, normal + log_determinant, rtol=1e-5)
    np.testing.assert_allclose(back, z, atol=1e-3)
    assert rank == 1 or np.all(np.abs(own).max(axis=0) > 0)  # every coordinate depends on every other


def test_the_density_of_a_flow_integrates_to_one_and_is_that_of_its_draws():
    flow = flow_of(2)
    side = np.linspace(-9, 9, 300, dtype=np.float32)
    grid = np.stack(np.meshgrid(side, side, indexing="ij"), axis=-1).reshape(-1, 2)
    density = np.exp(np.asarray(compiled(flow, "log_prob")(grid))) * (side[1] - side[0]) ** 2
    np.testing.assert_allclose(density.sum(), 1, atol=0.01)
    mean = density @ grid
    draws = flow.sample(20_000, seed=1)
    np.testing.assert_allclose(draws.mean(axis=0), mean, atol=0.05)
    np.testing.assert_allclose(np.cov(draws.T), (grid - mean).T @ (density[:, None] * (grid - mean)), atol=0.1)
    np.testing.assert_array_equal(draws, flow.sample(20_000, seed=1))


@pytest.mark.parametrize(("rank", "reverse"), [(1, False), (4, False), (4, True)])
def test_an_autoregressive_step_has_a_triangular_jacobian_with_the_determinant_that_it_says(rank, reverse):
    step = perturbed(InverseAutoregressiveStep(rank, 3, 8, reverse=reverse, rngs=nnx.Rngs(1)), 0.3)
    z, context = (jnp.asarray(RNG.standard_normal((50, size)), jnp.float32) for size in (rank, 3))
    graph, state = nnx.split(step)

    @jax.jit
    def everything(z, context):
        step = nnx.merge(graph, state)
        jacobians = jax.vmap(jax.jacfwd(lambda z, c: step(z[None], c[None])[0][0], argnums=(0, 1)))(z, context)
        return step(z, context)[1], *jacobians

    log_determinant, jacobians, by_context = map(np.asarray, everything(z, context))
    np.testing.assert_allclose(log_determinant, np.linalg.slogdet(jacobians)[1], atol=1e-5)
    assert np.all(np.abs(by_context).max(axis=0) > 0)  # the first coordinate, which sees no other, included
    forbidden = (np.tril if reverse else np.triu)(np.ones((rank, rank)), -1 if reverse else 1).astype(bool)
    np.testing.assert_array_equal(jacobians[:, forbidden], 0)
    allowed = ~forbidden
    assert np.all(np.abs(jacobians).max(axis=0)[allowed] > 0)
