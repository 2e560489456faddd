"""The bound of a decoder's change of volume, against the exact log-determinant; the terms of an implicit prior."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from fastrrae import IOPVAE, build_model
from fastrrae.objectives.density_ratio import density_ratio_penalty, kl_to_implicit_prior
from fastrrae.objectives.injective_flow import log_volume_bound, random_directions
from fastrrae.objectives.kl_divergence import kl_penalty

RANK = 4
WEIGHT = np.random.default_rng(0).standard_normal((RANK, 9)).astype(np.float32)
Z = np.random.default_rng(1).standard_normal((5, RANK)).astype(np.float32)


def decode(z):
    return jnp.sin(z @ jnp.asarray(WEIGHT)).reshape(len(z), 3, 3)


def jacobians(z=Z):
    return np.asarray(jax.vmap(jax.jacfwd(lambda z: decode(z[None])[0].ravel()))(jnp.asarray(z)), np.float64)


def exact():
    return np.array([0.5 * np.linalg.slogdet(j.T @ j)[1] for j in jacobians()])


def directions(count, seed=0):
    return random_directions(jax.random.key(seed), count, (len(Z), RANK))


def test_with_all_directions_the_bound_is_the_arithmetic_mean_of_the_eigenvalues():
    bound = np.asarray(log_volume_bound(decode, jnp.asarray(Z), directions(RANK)))
    expected = [RANK / 2 * np.log(np.trace(j.T @ j) / RANK) for j in jacobians()]
    np.testing.assert_allclose(bound, expected, rtol=1e-4)
    assert np.all(bound > exact())


def test_it_is_exact_where_all_directions_are_stretched_alike():
    def isometry(z):
        return jnp.concatenate([3 * z, jnp.ones((len(z), 2))], axis=1)

    for count in (1, RANK):
        bound = log_volume_bound(isometry, jnp.asarray(Z), directions(count))
        np.testing.assert_allclose(bound, RANK * np.log(3), rtol=1e-5)


def test_a_single_random_direction_is_an_upper_bound_on_average_and_a_tighter_one():
    at_each = jax.jit(lambda key: log_volume_bound(decode, jnp.asarray(Z), random_directions(key, 1, Z.shape)))
    mean = np.mean([at_each(key) for key in jax.random.split(jax.random.key(0), 2000)], axis=0)
    with_all = np.asarray(log_volume_bound(decode, jnp.asarray(Z), directions(RANK)))
    assert np.all(mean > exact())
    assert np.all(mean < with_all)


def test_directions_are_orthonormal_and_uniform():
    drawn = np.asarray(random_directions(jax.random.key(2), 2, (4000, 3)))
    np.testing.assert_allclose(
        np.einsum("cbi,dbi->bcd", drawn, drawn), np.broadcast_to(np.eye(2), (4000, 2, 2)), atol=1e-5
    )
    for of_one in drawn:
        np.testing.assert_allclose(of_one.T @ of_one / 4000, np.eye(3) / 3, atol=0.03)


def test_the_terms_of_an_implicit_prior_train_what_they_should():
    model = build_model(IOPVAE(rank=3), (6,))
    x = jnp.asarray(np.random.default_rng(0).standard_normal((8, 6)), jnp.float32)

    def gradient(penalty):
        def loss(model):
            return penalty(model, x, model(x))

        flat = jax.tree_util.tree_flatten_with_path(nnx.jit(nnx.grad(loss))(model))[0]
        return {"log_ratio" in jax.tree_util.keystr(path) for path, leaf in flat if np.any(leaf)}

    assert gradient(kl_to_implicit_prior("sum")) == {False}
    assert gradient(density_ratio_penalty) == {True}
    output = model(x)
    prior: Any = model.prior
    ratio = jnp.sum(prior.log_ratio(output.latent.z))
    corrected = kl_to_implicit_prior("sum")(model, x, output)
    np.testing.assert_allclose(corrected, kl_penalty("sum")(model, x, output) - ratio, rtol=1e-5)
