"""Every member of the family builds, trains, describes samples and decodes; what tells them apart holds."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from fastrrae import IRMAE, MODELS, NetworkConfig, build_model, make_objective
from fastrrae.densities import GaussianMixture
from fastrrae.metrics import effective_rank
from fastrrae.models.cv_vae import ConstantVariance
from fastrrae.models.info_vae import VariationalBottleneckWithDraws
from fastrrae.models.irmae import LinearLayers
from fastrrae.models.wae import NormalMatched
from fastrrae.training.step import StepOptions, finish_training, start_training

X = np.random.default_rng(0).standard_normal((48, 12)).astype(np.float32)


def options_of(name, **options):
    more = {"rrae": {"latent_size": 8}, "vrrae": {"latent_size": 8}, "gmm-dae": {"components": 3}}.get(name, {})
    return MODELS[name](rank=4, **more, **options)


def build(name, **options):
    return build_model(options_of(name, **options), (12,))


@pytest.mark.parametrize("name", MODELS)
def test_every_member_learns_and_samples(name):
    options, model = options_of(name), build(name)
    penalties, updates, hook = options.penalties(), options.separate_updates(60), options.step_hook(60)
    objective = make_objective(penalties, dict.fromkeys(penalties, 1e-3))
    state, step = start_training(model, StepOptions(optax.adam(3e-3), objective, hook=hook, updates=updates))
    losses, metrics = [], {}
    for _ in range(60):
        state, metrics = step(state, X)
        losses.append(float(metrics["loss"]))
    assert losses[-1] < 0.9 * losses[0]
    counted = {"rank"} if hook else set()
    names = {"loss", "reconstruction", "gradient_norm", *penalties, *(update.name for update in updates), *counted}
    assert set(metrics) == names
    total = metrics["reconstruction"] + sum(1e-3 * metrics[penalty] for penalty in penalties)
    np.testing.assert_allclose(metrics["loss"], total, rtol=1e-5)
    finish_training(model, state, hook)
    model.fit_basis([X])
    model.eval()
    x = jnp.asarray(X)
    coefficients = model.coefficients(x)
    assert coefficients.shape == (48, 4)
    np.testing.assert_allclose(model.reconstruct(X), model(x).reconstruction, atol=1e-4)
    np.testing.assert_array_equal(model(x).reconstruction, model(x).reconstruction)  # no noise at inference
    density = None if model.bottleneck.prior else GaussianMixture.fit(np.asarray(coefficients), 2)
    assert model.sample(5, density=density).shape == (5, 12)


def test_linear_layers_are_one_matrix_at_inference_and_differ_at_the_start():
    bottleneck = build("irmae", linear_layers=3, linear_variance=4.0).bottleneck
    assert isinstance(bottleneck, LinearLayers)
    weights = [np.asarray(weight[...]) for weight in bottleneck.weights]
    assert len(weights) == 3
    assert not np.allclose(weights[0], weights[1])
    assert all(np.abs(weight).max() <= 2 / np.sqrt(4) for weight in weights)
    assert max(np.abs(weight).max() for weight in weights) > 1 / np.sqrt(4)
    z = jnp.asarray(X[:, :4])
    np.testing.assert_allclose(bottleneck(z).z, bottleneck.coefficients(z), atol=1e-5)
    np.testing.assert_allclose(bottleneck.product(), weights[0] @ weights[1] @ weights[2], rtol=1e-5, atol=1e-6)


def test_the_noise_of_a_constant_variance_model_has_it():
    bottleneck = build("cv-vae", deviation=0.3).bottleneck
    assert isinstance(bottleneck, ConstantVariance)
    z = jnp.zeros((20_000, 4))
    np.testing.assert_allclose(np.asarray(bottleneck(z).z).std(0), 0.3, rtol=0.03)
    assert not np.any(bottleneck(z).mean)


def test_draws_from_the_prior_are_fresh_and_standard_normal():
    for name in ("wae", "info-vae"):
        bottleneck = build(name).bottleneck
        assert isinstance(bottleneck, NormalMatched | VariationalBottleneckWithDraws)
        first, second = bottleneck.draw_prior(5000), bottleneck.draw_prior(5000)
        assert not np.allclose(first, second)
        np.testing.assert_allclose(np.cov(np.asarray(first).T), np.eye(4), atol=0.1)


@pytest.mark.slow
def test_more_linear_layers_find_a_lower_rank():
    """On data of eight strong and eight weak directions (irmae-supplement, table 4: depth lowers the rank)."""
    rng = np.random.default_rng(1)
    data = (rng.standard_normal((256, 16)) * np.repeat([1.0, 0.25], 8)) @ np.linalg.qr(rng.standard_normal((16, 16)))[0]
    data = data.astype(np.float32)
    ranks = []
    for layers in (1, 4):
        model = build_model(IRMAE(rank=16, linear_layers=layers), (16,), network=NetworkConfig(encoder_widths=(32,)))
        state, step = start_training(model, StepOptions(optax.adam(1e-3), make_objective(reconstruction="mse")))
        for _ in range(400):
            state, _ = step(state, data)
        finish_training(model, state)
        model.eval()
        covariance = np.cov(np.asarray(model.coefficients(data)).T)
        ranks.append(effective_rank(np.linalg.eigvalsh(covariance)))
    assert ranks[1] < 0.8 * ranks[0], ranks
