"""The bottleneck of the GMM-DAE: its coordinates, and a prior that may be delayed."""

import jax.numpy as jnp
import numpy as np
import pytest

from fastrrae import GMMDAE, build_model, make_objective
from fastrrae.models.gmm_dae import MixtureMatched
from fastrrae.models.mixture_prior import MixturePrior

PRIOR = MixturePrior(rank=4, components=3, distance=6.0)
Z = np.random.default_rng(0).standard_normal((32, 4)).astype(np.float32)
MAP = np.vstack([np.arange(4), np.random.default_rng(1).standard_normal((4, 4))])


def test_without_an_affine_map_coefficients_are_the_latent_vectors():
    bottleneck = MixtureMatched(PRIOR)
    np.testing.assert_array_equal(bottleneck.coefficients(jnp.asarray(Z)), Z)
    np.testing.assert_array_equal(bottleneck.expand(jnp.asarray(Z)), Z)


def test_an_affine_map_changes_what_the_prior_sees_and_not_what_the_decoder_gets():
    bottleneck = MixtureMatched(PRIOR)
    bottleneck.set_affine_map(MAP)
    latent = bottleneck(jnp.asarray(Z))
    np.testing.assert_array_equal(latent.z, Z)
    np.testing.assert_allclose(latent.mean, Z @ MAP[1:] + MAP[0], atol=1e-5)
    np.testing.assert_allclose(bottleneck.expand(latent.mean), Z, atol=1e-5)


def test_a_delayed_prior_does_not_count_until_there_is_an_affine_map():
    options = GMMDAE(rank=4, components=3, align_after=0.5)
    model = build_model(options, (5,))
    objective = make_objective(options.penalties(), {"mixture_distance": 1.0})
    x = jnp.asarray(np.random.default_rng(2).standard_normal((32, 5)), jnp.float32)
    loss, terms = objective(model, x, model(x))
    assert terms["mixture_distance"] == 0
    assert loss == terms["reconstruction"]
    assert isinstance(model.bottleneck, MixtureMatched)
    model.bottleneck.set_affine_map(MAP)
    loss, terms = objective(model, x, model(x))
    assert terms["mixture_distance"] > 0
    np.testing.assert_allclose(loss, terms["reconstruction"] + terms["mixture_distance"], rtol=1e-6)


def test_an_affine_map_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"`affine_map` must have shape \(5, 4\); got \(4, 4\)"):
        MixtureMatched(PRIOR).set_affine_map(np.eye(4))
