"""Loss terms against their definitions."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from fastrrae import RRAE, VRRAE, make_objective
from fastrrae.models import Latent, Output
from fastrrae.models.vrrae import VariationalRankReduction
from fastrrae.objectives import mean_squared_error, relative_error
from fastrrae.objectives.kl_divergence import kl_divergence

RNG = np.random.default_rng(0)
X, Y = (jnp.asarray(RNG.standard_normal((6, 4, 4, 1)), jnp.float32) for _ in range(2))
UNUSED: Any = None  # the model, of which these terms ask nothing
MEAN, LOGVAR = (jnp.asarray(RNG.standard_normal((6, 3)), jnp.float32) for _ in range(2))


def test_reconstruction_terms():
    x, y = np.asarray(X, float), np.asarray(Y, float)
    np.testing.assert_allclose(relative_error(X, Y), 100 * np.linalg.norm(y - x) / np.linalg.norm(x), rtol=1e-6)
    np.testing.assert_allclose(mean_squared_error(X, Y), np.mean((y - x) ** 2), rtol=1e-6)


def test_a_perfect_batch_has_a_zero_gradient():
    assert relative_error(X, X) == 0
    np.testing.assert_array_equal(jax.grad(lambda y: relative_error(X, y))(X), np.zeros(X.shape))


def test_kl_against_its_integral():
    grid = np.linspace(-14, 14, 20001)
    for mean, logvar in [(0.0, 0.0), (1.3, -0.7), (-2.0, 0.9)]:
        q = np.exp(-((grid - mean) ** 2) / (2 * np.exp(logvar))) / np.sqrt(2 * np.pi * np.exp(logvar))
        log_ratio = -((grid - mean) ** 2) / (2 * np.exp(logvar)) - logvar / 2 + grid**2 / 2
        expected = np.sum(q * log_ratio) * (grid[1] - grid[0])
        np.testing.assert_allclose(kl_divergence(jnp.array([mean]), jnp.array([logvar])), expected, atol=1e-5)


def test_the_kl_of_a_vrrae_is_that_of_its_singular_values_and_of_many_draws():
    """Equation 7 of the VRRAE paper: the squared means of a coordinate sum to a squared singular value over a batch."""
    rank, count = 3, 20_000
    z = jnp.asarray(0.3 * RNG.standard_normal((16, 5)), jnp.float32)
    bottleneck = VariationalRankReduction(5, rank, rngs=nnx.Rngs(0))
    head = bottleneck.posterior.logvar_head
    head.kernel[...] = jnp.asarray(RNG.standard_normal(head.kernel.shape), jnp.float32)
    latent = bottleneck(z)
    assert latent.logvar is not None
    mean, logvar = np.asarray(latent.mean, float), np.asarray(latent.logvar, float)
    s = np.linalg.svd(np.asarray(z, float), compute_uv=False)[:rank]
    by_values = 0.5 * np.sum(s**2) - 0.5 * np.sum(1 + logvar - np.exp(logvar))
    np.testing.assert_allclose(jnp.sum(kl_divergence(latent.mean, latent.logvar)), by_values, rtol=1e-5)
    noise = RNG.standard_normal((count, *mean.shape))
    draws = mean + np.exp(logvar / 2) * noise
    log_ratios = np.sum(-(noise**2) / 2 - logvar / 2 + draws**2 / 2, axis=(1, 2))
    assert abs(log_ratios.mean() - by_values) < 5 * log_ratios.std() / np.sqrt(count) < 0.05 * by_values


@pytest.mark.parametrize(("reduction", "reduce"), [("sum", np.sum), ("mean", np.mean)])
def test_the_objective_adds_beta_times_kl(reduction, reduce):
    objective = make_objective(VRRAE(kl_reduction=reduction).penalties(), {"kl": 0.5})
    loss, parts = objective(UNUSED, X, Output(Y, Latent(MEAN, MEAN, LOGVAR)))
    kl = reduce(np.asarray(kl_divergence(MEAN, LOGVAR)))
    np.testing.assert_allclose(parts["kl"], kl, rtol=1e-6)
    np.testing.assert_allclose(loss, relative_error(X, Y) + 0.5 * kl, rtol=1e-6)


def test_no_kl_without_a_distribution():
    objective = make_objective(RRAE().penalties(), {}, "mse")
    loss, parts = objective(UNUSED, X, Output(Y, Latent(MEAN, MEAN)))
    assert set(parts) == {"reconstruction"}
    np.testing.assert_allclose(loss, mean_squared_error(X, Y))


def test_a_kl_term_without_a_log_variance_says_so():
    objective = make_objective(VRRAE().penalties(), {"kl": 1.0})
    with pytest.raises(ValueError, match="needs a bottleneck whose `Latent` has a `logvar`"):
        objective(UNUSED, X, Output(Y, Latent(MEAN, MEAN)))


def test_every_penalty_has_a_weight():
    with pytest.raises(ValueError, match=r"a weight for each penalty: penalties \['kl'\], weights \[\]"):
        make_objective(VRRAE().penalties())


def test_a_reconstruction_loss_of_ones_own():
    objective = make_objective(reconstruction=lambda x, y: jnp.max(jnp.abs(x - y)))
    np.testing.assert_allclose(objective(UNUSED, X, Output(Y, Latent(MEAN, MEAN)))[0], np.abs(X - Y).max())
