"""Each penalty against its definition, slowly, or a closed form."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from flax import nnx

from fastrrae.models.mixture_prior import MixturePrior
from fastrrae.networks.mlp import MLP
from fastrrae.objectives.decoder_penalties import directional_derivative, gradient_penalty, kernel_l2
from fastrrae.objectives.latent_l2_penalty import latent_l2
from fastrrae.objectives.maximum_mean_discrepancy import SCALES, maximum_mean_discrepancy
from fastrrae.objectives.mixture_distance import (
    covariance_distance,
    empirical_cdf,
    marginal_distance,
    mixture_distance,
    typical_distances,
)
from fastrrae.objectives.nuclear_norm import nuclear_norm

RNG = np.random.default_rng(0)


def normal(*shape):
    return jnp.asarray(np.random.default_rng(sum(shape)).standard_normal(shape), jnp.float32)


def test_latent_l2():
    z = normal(7, 3)
    np.testing.assert_allclose(latent_l2(z), np.mean(np.asarray(z) ** 2), rtol=1e-6)


def test_kernel_l2_is_of_kernels_alone():
    decoder = MLP((3, 5, 4), rngs=nnx.Rngs(0))
    expected = sum(np.sum(np.asarray(layer.kernel[...]) ** 2) for layer in decoder.layers)
    np.testing.assert_allclose(kernel_l2(decoder), expected, rtol=1e-6)
    gradient = nnx.grad(kernel_l2)(decoder)
    np.testing.assert_allclose(gradient.layers[0].kernel[...], 2 * decoder.layers[0].kernel[...], rtol=1e-6)
    assert not np.any(gradient.layers[0].bias[...])


def test_gradient_penalties_by_explicit_jacobians():
    decoder = MLP((3, 5, 4), rngs=nnx.Rngs(1))
    z = normal(6, 3)
    jacobians = [np.asarray(jax.jacfwd(lambda one: decoder(one[None])[0])(row)) for row in z]
    outputs = np.asarray(decoder(z))
    by_output = [2 * output @ jacobian for output, jacobian in zip(outputs, jacobians, strict=True)]
    np.testing.assert_allclose(gradient_penalty(decoder, z), np.mean(np.square(by_output)), rtol=1e-5)
    frobenius = np.mean([np.sum(jacobian**2) for jacobian in jacobians])
    np.testing.assert_allclose(gradient_penalty(decoder, z, "jacobian"), frobenius, rtol=1e-5)
    gradient = nnx.grad(lambda decoder: gradient_penalty(decoder, z))(decoder)
    assert np.abs(gradient.layers[0].kernel[...]).max() > 0  # the penalty trains the decoder


def test_directional_derivatives_by_reverse_mode():
    z, direction = normal(6, 3), normal(6, 3)[::-1]
    decoder = MLP((3, 5, 4), rngs=nnx.Rngs(1))
    expected = jax.jvp(decoder, (z,), (direction,))[1]
    np.testing.assert_allclose(directional_derivative(decoder, z, direction), expected, rtol=1e-6)


def test_discrepancy_by_the_double_loop():
    z, prior = (np.asarray(normal(9, 2 + i))[:, :2] for i in range(2))
    n = len(z)

    def kernel(a, b):
        return sum(4 * s / (4 * s + np.sum((a - b) ** 2)) for s in SCALES)

    within = sum(kernel(x[i], x[j]) for x in (z, prior) for i in range(n) for j in range(n) if i != j)
    across = sum(kernel(z[i], prior[j]) for i in range(n) for j in range(n))
    expected = within / (n * (n - 1)) - 2 * across / n**2
    np.testing.assert_allclose(maximum_mean_discrepancy(jnp.asarray(z), jnp.asarray(prior)), expected, rtol=1e-4)


def test_discrepancy_is_small_for_the_prior_and_large_for_others():
    same = np.mean([maximum_mean_discrepancy(normal(100, 4 + i)[:, :4], normal(101 + i, 4)[:100]) for i in range(20)])
    other = maximum_mean_discrepancy(normal(100, 4) + 1, normal(101, 4)[:100])
    assert abs(same) < 0.1 * other


PRIOR = MixturePrior(rank=4, components=3, distance=5.0)


def test_the_prior_by_its_definition():
    z = np.linspace(-3, 8, 12)[:, None] * np.ones(4)
    expected = np.mean([scipy.stats.norm.cdf(z - centre) for centre in PRIOR.centres], axis=0)
    np.testing.assert_allclose(PRIOR.marginal_cdf(jnp.asarray(z)), expected, atol=1e-6)
    draws = PRIOR.sample(200_000, 0)
    np.testing.assert_allclose(np.cov(draws.T), PRIOR.covariance, atol=0.05)
    np.testing.assert_allclose(np.bincount(PRIOR.assign(draws)) / len(draws), 1 / 3, atol=0.01)


def test_the_empirical_distribution_counts():
    z = np.round(np.asarray(normal(30, 3)), 1)  # with ties
    expected = [[np.mean(z[:, j] <= z[i, j]) for j in range(3)] for i in range(30)]
    np.testing.assert_allclose(empirical_cdf(jnp.asarray(z)), expected, rtol=1e-6)


def test_both_distances_by_their_definitions():
    z = np.asarray(normal(25, 4), np.float64)
    cdf = np.mean([scipy.stats.norm.cdf(z - centre) for centre in PRIOR.centres], axis=0)
    ranks = np.array([[np.mean(z[:, j] <= z[i, j]) for j in range(4)] for i in range(25)])
    np.testing.assert_allclose(marginal_distance(jnp.asarray(z), PRIOR), np.mean((ranks - cdf) ** 2), rtol=1e-4)
    expected = np.mean((np.cov(z.T) - PRIOR.covariance) ** 2)
    np.testing.assert_allclose(covariance_distance(jnp.asarray(z), PRIOR), expected, rtol=1e-4)


def test_the_mixture_distance_is_two_for_the_prior_and_far_more_for_others():
    typical = np.mean([mixture_distance(jnp.asarray(PRIOR.sample(64, seed)), PRIOR) for seed in range(100, 140)])
    assert typical == pytest.approx(2, abs=0.5)
    assert mixture_distance(normal(64, 4), PRIOR) > 20
    assert typical_distances(PRIOR, 64) == typical_distances(PRIOR, 64)


def test_gradients_of_the_mixture_distance_move_towards_the_prior():
    z = normal(256, 4) * 0.1
    step = jax.jit(lambda z: z - 2.0 * jax.grad(lambda z: mixture_distance(z, PRIOR))(z))
    start = mixture_distance(z, PRIOR)
    for _ in range(200):
        z = step(z)
    assert mixture_distance(z, PRIOR) < 0.1 * start


@pytest.mark.parametrize("rank", [6, 2, 0])
def test_nuclear_norm_and_its_gradient_at_any_rank(rank):
    weight = np.asarray(normal(6, rank + 1)[:, :rank] @ normal(rank + 1, 6)[:rank])
    singular = np.linalg.svd(np.float64(weight), compute_uv=False)
    value, gradient = jax.value_and_grad(nuclear_norm)(jnp.asarray(weight))
    np.testing.assert_allclose(value, singular.sum(), rtol=1e-5, atol=1e-6)
    assert np.isfinite(gradient).all()
    if rank == 6:
        u, _, vt = np.linalg.svd(weight)
        np.testing.assert_allclose(gradient, u @ vt, atol=1e-4)
