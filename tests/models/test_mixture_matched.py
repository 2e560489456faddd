"""The bottleneck of the GMM-DAE: its coordinates, and a prior that may wait."""

import jax.numpy as jnp
import numpy as np
import pytest

from fastrrae import ModelConfig, ObjectiveConfig, build_model, make_objective
from fastrrae.models.mixture_matched import MixtureMatched
from fastrrae.models.priors import MixturePrior

PRIOR = MixturePrior(rank=4, components=3, distance=6.0)
Z = np.random.default_rng(0).standard_normal((32, 4)).astype(np.float32)
CHART = np.vstack([np.arange(4), np.random.default_rng(1).standard_normal((4, 4))])


def test_without_a_chart_coefficients_are_the_latent_vectors():
    bottleneck = MixtureMatched(PRIOR)
    np.testing.assert_array_equal(bottleneck.coefficients(jnp.asarray(Z)), Z)
    np.testing.assert_array_equal(bottleneck.expand(jnp.asarray(Z)), Z)


def test_a_chart_changes_what_the_prior_sees_and_not_what_the_decoder_gets():
    bottleneck = MixtureMatched(PRIOR)
    bottleneck.set_chart(CHART)
    latent = bottleneck(jnp.asarray(Z))
    np.testing.assert_array_equal(latent.z, Z)
    np.testing.assert_allclose(latent.mean, Z @ CHART[1:] + CHART[0], atol=1e-5)
    np.testing.assert_allclose(bottleneck.expand(latent.mean), Z, atol=1e-5)


def test_a_prior_that_waits_does_not_pull_until_there_is_a_chart():
    config = ModelConfig("gmm-dae", rank=4, components=3, align_after=0.5)
    model = build_model(config, (5,))
    objective = make_objective(ObjectiveConfig(beta=1.0), "gmm-dae")
    x = jnp.asarray(np.random.default_rng(2).standard_normal((32, 5)), jnp.float32)
    loss, terms = objective(model, x, model(x))
    assert terms["mixture"] == 0
    assert loss == terms["reconstruction"]
    assert isinstance(model.bottleneck, MixtureMatched)
    model.bottleneck.set_chart(CHART)
    loss, terms = objective(model, x, model(x))
    assert terms["mixture"] > 0
    np.testing.assert_allclose(loss, terms["reconstruction"] + terms["mixture"], rtol=1e-6)


def test_a_chart_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"`chart` must have shape \(5, 4\); got \(4, 4\)"):
        MixtureMatched(PRIOR).set_chart(np.eye(4))
