"""Bottlenecks: what each does to a latent matrix, in training and at inference."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from fastrrae.models import (
    MODELS,
    BasisNotFitted,
    Identity,
    RankReduction,
    VariationalBottleneck,
    VariationalRankReduction,
)
from fastrrae.models.latent_spectrum import latent_spectrum
from fastrrae.models.svd_of_batch import low_rank_and_svd_of_batch
from fastrrae_kernels import reference

Z = jnp.asarray(np.random.default_rng(0).standard_normal((12, 7)), jnp.float32)
BASIS = jnp.asarray(np.linalg.qr(np.random.default_rng(1).standard_normal((7, 3)))[0].T, jnp.float32)


def test_identity_passes_everything_on():
    bottleneck = Identity(7)
    latent = bottleneck(Z)
    assert latent.logvar is None
    for x in (latent.z, latent.mean, bottleneck.coefficients(Z), bottleneck.expand(Z)):
        np.testing.assert_array_equal(x, Z)


def test_rank_reduction_is_the_best_approximation_in_training():
    bottleneck = RankReduction(7, 3)
    latent = bottleneck(Z)
    np.testing.assert_allclose(latent.z, reference.low_rank(np.asarray(Z), 3), atol=1e-5)
    _, s, _ = reference.truncated_svd(np.asarray(Z), 3)
    np.testing.assert_allclose(jnp.linalg.norm(latent.mean, axis=0), s, rtol=1e-5)


@pytest.mark.parametrize("bottleneck", [RankReduction(7, 3), VariationalRankReduction(7, 3, rngs=nnx.Rngs(0))])
def test_inference_projects_on_the_fitted_basis(bottleneck):
    with pytest.raises(BasisNotFitted, match="fit_basis"):
        bottleneck.coefficients(Z)
    bottleneck.set_basis(BASIS)
    bottleneck.eval()
    latent = bottleneck(Z)
    np.testing.assert_allclose(latent.mean, Z @ BASIS.T, atol=1e-5)
    np.testing.assert_allclose(latent.z, Z @ BASIS.T @ BASIS, atol=1e-5)
    np.testing.assert_allclose(bottleneck(Z[:1]).z, latent.z[:1], atol=1e-5)  # each sample alone
    with pytest.raises(ValueError, match=r"`basis` must have shape \(3, 7\)"):
        bottleneck.set_basis(BASIS.T)


def test_the_vrrae_samples_around_its_coefficients():
    bottleneck = VariationalRankReduction(7, 3, rngs=nnx.Rngs(0))
    draws = np.stack([np.asarray(bottleneck(Z).z) for _ in range(400)])
    latent = bottleneck(Z)
    np.testing.assert_allclose(
        np.square(latent.mean).sum(0), reference.truncated_svd(np.asarray(Z), 3)[1] ** 2, rtol=1e-4
    )
    expected = reference.low_rank(np.asarray(Z), 3)
    deviation = np.sqrt(np.mean(np.sum((draws - expected) ** 2, axis=-1)))
    predicted = np.sqrt(np.mean(np.sum(np.exp(np.asarray(latent.logvar)), axis=-1)))
    np.testing.assert_allclose(deviation, predicted, rtol=0.05)
    np.testing.assert_allclose(draws.mean(0), expected, atol=5 * predicted / np.sqrt(400))


@pytest.mark.parametrize("mean", ["identity", "linear"])
@pytest.mark.parametrize("signs", [(-1, 1, 1), (1, -1, -1), (-1, -1, -1)])
def test_the_vrrae_does_not_depend_on_the_signs_of_the_singular_vectors(mean, signs):
    """They differ between eigensolvers; a tracked SVD and the exact one that takes its turn are two of them."""

    def with_signs(z, rank, active_rank):
        low_rank, svd = low_rank_and_svd_of_batch(z, rank, active_rank)
        chosen = jnp.asarray(signs, jnp.float32)
        return low_rank, svd._replace(u=svd.u * chosen, vt=svd.vt * chosen[:, None])

    one, other = (
        VariationalRankReduction(7, 3, mean, svd=svd, rngs=nnx.Rngs(0))(Z)
        for svd in (low_rank_and_svd_of_batch, with_signs)
    )
    for x, y in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(x, y, atol=1e-5)


def test_the_posterior_of_the_vrrae_is_the_same_in_training_and_at_inference():
    bottleneck = VariationalRankReduction(7, 3, rngs=nnx.Rngs(0))
    _, *trained = bottleneck(Z)
    bottleneck.set_basis(jnp.asarray(latent_spectrum([Z], 7).basis[:3]))
    bottleneck.eval()
    _, *inferred = bottleneck(Z)
    for x, y in zip(jax.tree.leaves(trained), jax.tree.leaves(inferred), strict=True):
        np.testing.assert_allclose(x, y, atol=1e-4)


def test_noise_is_seeded_and_moves_on():
    first, second = (VariationalRankReduction(7, 3, rngs=nnx.Rngs(4)) for _ in range(2))
    a, b = first(Z).z, first(Z).z
    np.testing.assert_array_equal(a, second(Z).z)
    assert not np.allclose(a, b)


def test_the_vrrae_has_finite_gradients_where_all_singular_values_are_tied():
    bottleneck = VariationalRankReduction(7, 3, rngs=nnx.Rngs(0))
    gradient = nnx.grad(lambda bottleneck, z: jnp.sum(jnp.sin(bottleneck(z).z)), argnums=1)(bottleneck, jnp.eye(12, 7))
    assert jnp.isfinite(gradient).all()


@pytest.mark.parametrize(("mean", "heads"), [("linear", 2), ("identity", 1)])
def test_the_vae(mean, heads):
    bottleneck = VariationalBottleneck(7, mean, rngs=nnx.Rngs(0))
    assert len(jax.tree.leaves(nnx.state(bottleneck, nnx.Param))) == 2 * heads
    latent = bottleneck(Z)
    assert not np.allclose(latent.z, latent.mean)
    bottleneck.eval()
    np.testing.assert_array_equal(bottleneck(Z).z, bottleneck(Z).mean)
    if mean == "identity":
        np.testing.assert_array_equal(bottleneck.coefficients(Z), Z)


@pytest.mark.parametrize("name", [name for name, model in MODELS.items() if hasattr(model, "bounded_variance")])
def test_bounded_variances_stay_below_one(name):
    """However large the coefficients are, in every model with Gaussians; without the bound, they do not."""
    model: Any = MODELS[name]

    def logvar(bounded):
        bottleneck = model(rank=3, bounded_variance=bounded).bottleneck(nnx.Rngs(0))
        return np.asarray(bottleneck.posterior.logvar(1e3 * Z[:, :3]), np.float64)

    h = logvar(bounded=False)
    assert h.max() > 100
    np.testing.assert_allclose(logvar(bounded=True), -np.logaddexp(0, -h), rtol=1e-5, atol=1e-30)


def test_linear_mean_of_the_vrrae_is_an_ablation():
    bottleneck = VariationalRankReduction(7, 3, "linear", rngs=nnx.Rngs(0))
    bottleneck.set_basis(BASIS)
    head = bottleneck.posterior.mean_head
    assert head is not None
    np.testing.assert_allclose(bottleneck.coefficients(Z), head(Z @ BASIS.T), atol=1e-6)
