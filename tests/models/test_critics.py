"""Adversarial members of the family: their priors, the mask, and what their critics compare."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from fastrrae import AAE, FlexAE, InputError, MaskAAE, build_model
from fastrrae.cli import run_command
from fastrrae.models.critic import critic_of
from fastrrae.models.flex_ae import GeneratorByCritic
from fastrrae.models.mask_aae import ACTIVE, MaskedByCritic, MaskedNormal
from fastrrae.objectives.critic_loss import wasserstein_estimate
from fastrrae.training.metrics_log import read_metrics

Z = jnp.asarray(np.random.default_rng(0).standard_normal((40, 4)), jnp.float32)


def bottleneck_of(options):
    return options.bottleneck(nnx.Rngs(0))


def with_mask(values):
    """A MaskAAE's bottleneck with this mask."""
    bottleneck = bottleneck_of(MaskAAE(rank=4, critic_widths=(8,)))
    assert isinstance(bottleneck, MaskedByCritic)
    bottleneck.mask.set_value(-jnp.log1p(-jnp.asarray(values)))
    return bottleneck


def test_the_mask_starts_between_closed_and_open():
    bottleneck = bottleneck_of(MaskAAE(rank=1000, critic_widths=(8,)))
    assert isinstance(bottleneck, MaskedByCritic)
    a = np.asarray(bottleneck.mask[...])
    assert a.min() >= 0
    assert a.max() <= 5
    np.testing.assert_allclose(a.mean(), 2.5, atol=0.2)
    np.testing.assert_allclose(bottleneck.alpha, 1 - np.exp(-a), atol=1e-6)


def test_codes_and_prior_are_masked_alike():
    bottleneck = with_mask([0.0, 0.09, 0.1001, 0.9])
    np.testing.assert_allclose(bottleneck(Z).z, Z * bottleneck.alpha)
    np.testing.assert_array_equal(bottleneck(Z).encoded, Z)
    np.testing.assert_array_equal(bottleneck.coefficients(Z), bottleneck(Z).mean)
    assert int(bottleneck.active) == 2
    draws = bottleneck.draw_prior(20_000)
    np.testing.assert_allclose(np.std(np.asarray(draws), axis=0), bottleneck.alpha, atol=0.02)
    prior = bottleneck.prior
    assert isinstance(prior, MaskedNormal)
    assert prior.describe() == "standard normal of 2 coordinates, those of the mask"
    sample = prior.sample(20_000, 0)
    assert sample.dtype == np.float32
    np.testing.assert_allclose(sample.std(axis=0), prior.mask, atol=0.02)
    np.testing.assert_array_equal(sample, prior.sample(20_000, 0))


def test_the_spread_is_that_of_closed_coordinates():
    """The paper's term, written out."""
    options = MaskAAE(rank=4, critic_widths=(8,))
    model = build_model(options, (6,))
    model.bottleneck = bottleneck = with_mask([0.0, 0.3, 0.7, 0.99])
    x = jnp.asarray(np.random.default_rng(1).standard_normal((40, 6)), jnp.float32)
    z, alpha = np.asarray(model.encode(x), float), np.asarray(bottleneck.alpha, float)
    expected = np.mean((z - z.mean(axis=0)) ** 2 * np.exp(-10 * alpha**2))
    np.testing.assert_allclose(options.penalties()["spread"](model, x, model(x)), expected, rtol=1e-4)


def test_the_evaluation_says_how_many_coordinates_are_active():
    options = MaskAAE(rank=4, critic_widths=(8,))
    found = options.evaluate(with_mask([0.0, 0.0, ACTIVE + 1e-3, 0.9]), np.asarray(Z), None, None, 0)
    assert found == {"rank_found": 2.0}


def test_the_prior_of_a_flex_ae_is_its_generator():
    bottleneck = bottleneck_of(FlexAE(rank=4, noise_size=7, generator_widths=(8,), critic_widths=(8,)))
    assert isinstance(bottleneck, GeneratorByCritic)
    noise = jnp.asarray(np.random.default_rng(5).standard_normal((3, 7), np.float32))
    np.testing.assert_allclose(bottleneck.prior.sample(3, 5), bottleneck.generator(noise), rtol=1e-5, atol=1e-6)
    assert bottleneck.draw_prior(6).shape == (6, 4)
    first, second = bottleneck.draw_prior(6), bottleneck.draw_prior(6)
    assert not np.allclose(first, second)
    bias = bottleneck.generator.mlp.layers[-1].bias
    assert bias is not None
    bias[...] += 1.0
    np.testing.assert_allclose(bottleneck.prior.sample(3, 5), bottleneck.generator(noise), rtol=1e-5, atol=1e-6)


def test_a_generator_needs_as_much_noise_as_coefficients():
    with pytest.raises(InputError, match=r"`model.noise_size` must be at least `model.rank` = 4; got 3"):
        FlexAE(rank=4, noise_size=3)


def test_the_penalty_of_an_aae_moves_codes_towards_the_prior():
    options = AAE(rank=4, critic_widths=(8,))
    model = build_model(options, (6,))
    critic = critic_of(model)
    x = jnp.asarray(np.random.default_rng(1).standard_normal((40, 6)), jnp.float32)
    again = nnx.clone(model)
    found = options.penalties()["wasserstein"](model, x, model(x))
    prior = jax.random.normal(critic_of(again).noise(), (40, 4))
    np.testing.assert_allclose(found, wasserstein_estimate(critic, prior, model.encode(x)), rtol=1e-5, atol=1e-6)


def test_a_flex_ae_from_the_command_line(tmp_path, capsys, without_pictures):
    """By cross-entropy: it trains, counts no penalties, and draws samples from its prior."""
    out = tmp_path / "run"
    quick = ["--network", "mlp", "--steps", "4", "--log-every", "2", "--protocol", "brief", "--data-devices", "1"]
    small = ["--rank", "4", "--critic-widths", "8", "--critic-steps", "2", "--generator-widths", "8"]
    asked = ["train", "digits", "--model", "flex-ae", "--reconstruction", "cross-entropy", "--out", str(out)]
    assert run_command([*asked, *quick, *small, "--output", "tanh"]) == 1
    shown = capsys.readouterr().err
    assert "--output must be sigmoid (or auto) for --reconstruction cross-entropy" in shown
    assert not out.exists()
    assert run_command([*asked, *quick, *small]) == 0
    last = read_metrics(out / "metrics.jsonl")[-1]
    assert {"critic", "generator", "encoder"} < set(last)
    samples = tmp_path / "samples.npy"
    assert run_command(["sample", str(out), "--density", "prior", "--count", "3", "--out", str(samples)]) == 0
    values = np.load(samples)
    assert values.shape == (3, 8, 8, 1)
    assert values.min() >= 0
    assert values.max() <= 16
