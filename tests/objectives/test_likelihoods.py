"""Reconstruction losses that are likelihoods, against their closed forms; outputs and draws of the noise."""

from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from fastrrae import CVVAE, NetworkConfig, build_model, make_objective
from fastrrae.models import Latent, Output
from fastrrae.objectives import cross_entropy, gaussian_misfit, mean_squared_error
from fastrrae.training.forward import make_forward

RNG = np.random.default_rng(0)
LOGITS = jnp.asarray(3 * RNG.standard_normal((6, 4, 4, 1)), jnp.float32)
SHARES = jnp.asarray(RNG.random((6, 4, 4, 1)), jnp.float32)
X, Y = (jnp.asarray(RNG.standard_normal((6, 5)), jnp.float32) for _ in range(2))


def test_cross_entropy_is_the_likelihood_of_bernoulli_variables():
    p = 1 / (1 + np.exp(-np.asarray(LOGITS, float)))
    binary = np.asarray(SHARES) > 0.5
    expected = -scipy.stats.bernoulli.logpmf(binary, p).sum() / 6
    np.testing.assert_allclose(cross_entropy(jnp.asarray(binary, jnp.float32), LOGITS), expected, rtol=1e-5)


def test_the_gradient_of_the_cross_entropy_is_p_minus_x_also_where_p_rounds_to_one():
    logits = LOGITS.at[0, 0, 0, 0].set(200.0).at[1, 0, 0, 0].set(-200.0)
    gradient = jax.grad(lambda logits: cross_entropy(SHARES, logits))(logits)
    np.testing.assert_allclose(gradient, (jax.nn.sigmoid(logits) - SHARES) / 6, atol=1e-6)
    np.testing.assert_allclose(cross_entropy(jnp.zeros((1, 1)), jnp.full((1, 1), 200.0)), 200.0)


def test_the_gaussian_loss_is_a_likelihood_without_its_constant():
    log_variance = jnp.asarray(-0.7)
    densities = scipy.stats.norm.logpdf(X, Y, np.exp(-0.35))
    expected = -np.sum(densities) / 6 - 5 * np.log(2 * np.pi) / 2
    np.testing.assert_allclose(gaussian_misfit(X, Y, log_variance), expected, rtol=1e-5)


def test_the_best_variance_is_the_mean_squared_error():
    best = jnp.log(mean_squared_error(X, Y))
    slope, least = jax.grad(gaussian_misfit, argnums=2)(X, Y, best), gaussian_misfit(X, Y, best)
    np.testing.assert_allclose(slope, 0, atol=1e-5)
    np.testing.assert_allclose(least, 2.5 * (1 + best), rtol=1e-5)
    assert all(gaussian_misfit(X, Y, best + change) > least for change in (-0.3, 0.3))


def test_the_objective_gives_each_loss_what_it_needs():
    model: Any = SimpleNamespace(log_variance=jnp.asarray(0.3))
    output = Output(jax.nn.sigmoid(LOGITS), Latent(X, X), LOGITS)
    loss, _ = make_objective(reconstruction="cross-entropy")(model, SHARES, output)
    np.testing.assert_allclose(loss, cross_entropy(SHARES, LOGITS))
    loss, _ = make_objective(reconstruction="gaussian")(model, SHARES, output)
    np.testing.assert_allclose(loss, gaussian_misfit(SHARES, output.reconstruction, model.log_variance))


@pytest.mark.parametrize(
    ("output", "function"), [("sigmoid", jax.nn.sigmoid), ("tanh", jnp.tanh), ("none", lambda y: y)]
)
def test_the_output_activation_is_applied_in_training_and_at_inference(output, function):
    model = build_model(CVVAE(rank=2, deviation=0.0), (5,), network=NetworkConfig("mlp", (8,), (8,), output=output))
    trained = make_forward()(model, X)
    np.testing.assert_allclose(trained.reconstruction, function(trained.before_activation), atol=1e-6)
    np.testing.assert_allclose(model.reconstruct(X), trained.reconstruction, atol=1e-6)
    np.testing.assert_allclose(model(X).reconstruction, trained.reconstruction, atol=1e-6)


def test_draws_of_the_noise_are_consecutive_fresh_and_averaged():
    """Of a linear decoder: E |W (z + s e) - x|^2 = |W z - x|^2 + s^2 |W|^2."""
    draws, deviation = 4000, 0.5
    model = build_model(CVVAE(rank=3, deviation=deviation), (5,), network=NetworkConfig("mlp", (8,), (8,)))
    weights = jnp.asarray(RNG.standard_normal((3, 5)), jnp.float32)
    model.decoder = lambda z: z @ weights
    output = make_forward(draws=3)(model, X)
    assert output.reconstruction.shape == (18, 5)
    assert output.latent.z.shape == (6, 3)
    np.testing.assert_allclose(output.reconstruction[::3], output.latent.z @ weights, rtol=1e-5)
    assert not np.allclose(output.reconstruction[0], output.reconstruction[1])
    z = np.asarray(model.encode(X))
    expected = np.mean(np.sum((z @ weights - X) ** 2, axis=1)) + deviation**2 * np.sum(np.asarray(weights) ** 2)
    many = jnp.repeat(jnp.asarray(z), draws, axis=0)
    noisy = Output(model.decoder(model.bottleneck(many).z), output.latent)
    loss, _ = make_objective(reconstruction="mse")(model, X, noisy)
    np.testing.assert_allclose(5 * loss, expected, rtol=0.02)
