"""The critic's loss against explicit gradients and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from fastrrae.models import Critic
from fastrrae.objectives.critic_loss import critic_loss, gradient_penalty, wasserstein_estimate

RNG = np.random.default_rng(0)
REAL, GENERATED = (jnp.asarray(RNG.standard_normal((7, 3)), jnp.float32) for _ in range(2))
POSITIONS = jnp.asarray(RNG.random((7, 1)), jnp.float32)


def test_the_penalty_against_explicit_gradients():
    """Central differences in each coordinate, sample by sample, in float64."""
    with jax.enable_x64(True):
        critic = Critic(3, (16, 16), rngs=nnx.Rngs(0))
        real, generated, positions = (np.asarray(a, np.float64) for a in (REAL, GENERATED, POSITIONS))
        terms = []
        for a, b, t in zip(real, generated, positions, strict=True):
            point, step = t * a + (1 - t) * b, 1e-6
            slope = [
                float(critic((point + step * e)[None])[0] - critic((point - step * e)[None])[0]) / (2 * step)
                for e in np.eye(3)
            ]
            terms.append((np.linalg.norm(slope) - 1) ** 2)
        found = gradient_penalty(critic, jnp.asarray(real), jnp.asarray(generated), jnp.asarray(positions))
        np.testing.assert_allclose(found, np.mean(terms), rtol=1e-5)


def test_a_linear_critic_has_a_closed_form():
    w = jnp.asarray([1.0, -2.0, 2.0])  # of length 3
    loss = critic_loss(lambda z: z @ w, REAL, GENERATED, POSITIONS)
    distance = np.mean(np.asarray(REAL - GENERATED) @ np.asarray(w))
    np.testing.assert_allclose(loss, 10 * (3 - 1) ** 2 - distance, rtol=1e-5)


def test_a_flat_critic_has_a_finite_gradient():
    scale = jax.grad(lambda c: gradient_penalty(lambda z: c * jnp.sum(z, axis=1), REAL, GENERATED, POSITIONS))(0.0)
    assert np.isfinite(scale)


def test_the_estimate_is_the_distance_for_the_best_critic():
    """Between two distributions that differ by a shift, the best critic is linear along it."""
    shift = jnp.asarray([3.0, 0.0, 4.0])
    np.testing.assert_allclose(wasserstein_estimate(lambda z: z @ shift / 5, REAL + shift, REAL), 5.0, rtol=1e-5)
