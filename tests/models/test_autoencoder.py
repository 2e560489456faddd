"""The assembled model: users' own networks, the fitted basis, sampling."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from fastrrae.densities import GaussianMixture
from fastrrae.models import (
    Autoencoder,
    BasisNotFitted,
    RankReduction,
    VariationalBottleneck,
    VariationalRankReduction,
)
from fastrrae.models.priors import StandardNormal

X = jnp.asarray(np.random.default_rng(0).standard_normal((40, 9)), jnp.float32)


class Doubling(nnx.Module):
    """A user's own encoder or decoder."""

    def __call__(self, x):
        return 2 * x


def fitted(bottleneck):
    model = Autoencoder(Doubling(), bottleneck, Doubling())
    spectrum = model.fit_basis([X[:16], X[16:]])
    return model, spectrum


@pytest.mark.parametrize("bottleneck", [RankReduction(9, 4), VariationalRankReduction(9, 4, rngs=nnx.Rngs(0))])
def test_the_fitted_basis_is_that_of_the_whole_set(bottleneck):
    model, spectrum = fitted(bottleneck)
    expected = 2 * np.asarray(X, np.float64)
    u, s, vt = np.linalg.svd(expected, full_matrices=False)
    np.testing.assert_allclose(spectrum.singular_values, s, rtol=1e-6)
    np.testing.assert_allclose(np.abs(np.sum(spectrum.basis * vt, axis=1)), 1, rtol=1e-6)
    np.testing.assert_allclose(model.reconstruct(X), 2 * (u[:, :4] * s[:4]) @ vt[:4], atol=1e-4)
    np.testing.assert_allclose(model.decode(model.coefficients(X)), model.reconstruct(X), atol=1e-6)


def test_inference_without_a_basis_says_so():
    model = Autoencoder(Doubling(), RankReduction(9, 4), Doubling())
    for call in (model.reconstruct, model.coefficients):
        with pytest.raises(BasisNotFitted, match="none has been fitted yet"):
            call(X)
    model.eval()
    with pytest.raises(BasisNotFitted):
        model(X)
    assert model.encode(X).shape == (40, 9)  # needs none


def test_named_methods_do_not_depend_on_the_mode():
    model, _ = fitted(VariationalRankReduction(9, 4, rngs=nnx.Rngs(0)))
    training = model.reconstruct(X)
    model.eval()
    np.testing.assert_array_equal(model.reconstruct(X), training)
    np.testing.assert_allclose(model(X).reconstruction, training, atol=1e-5)


def test_sampling():
    model, _ = fitted(VariationalRankReduction(9, 4, rngs=nnx.Rngs(0)))
    np.testing.assert_array_equal(model.sample(5, seed=1), model.sample(5, seed=1))
    assert not np.allclose(model.sample(5, seed=1), model.sample(5, seed=2))
    density = GaussianMixture.fit(np.asarray(model.coefficients(X)), 2)
    assert model.sample(5, density=density).shape == (5, 9)
    deterministic, _ = fitted(RankReduction(9, 4))
    with pytest.raises(ValueError, match="`density` must be given"):
        deterministic.sample(5)
    assert deterministic.sample(5, density=StandardNormal(4)).shape == (5, 9)


def test_an_encoder_of_the_wrong_width_is_named():
    model = Autoencoder(Doubling(), VariationalBottleneck(4, rngs=nnx.Rngs(0)), Doubling())
    with pytest.raises(ValueError, match=r"encoder must return shape .* \(40, 4\); got \(40, 9\)"):
        model(X)


def test_a_model_works_under_nnx_jit_and_grad():
    model, _ = fitted(VariationalRankReduction(9, 4, rngs=nnx.Rngs(0)))
    model.train()
    loss = nnx.jit(lambda model, x: jnp.mean(model(x).reconstruction ** 2))
    assert jnp.isfinite(loss(model, X))
    gradients = nnx.grad(lambda model: jnp.mean(model(X).reconstruction ** 2))(model)
    assert all(jnp.isfinite(g).all() for g in jax.tree.leaves(gradients))
