"""The Wasserstein distance between two distributions, by a critic (Gulrajani et al. 2017)."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

GRADIENT_PENALTY = 10.0

CriticFunction = Callable[[Array], Array]
"""`(batch, size) -> (batch,)`, each sample by itself."""


def wasserstein_estimate(critic: CriticFunction, real: Array, generated: Array) -> Array:
    """`mean C(real) - mean C(generated)`: the Wasserstein distance, for the best critic of slope 1 or less."""
    return jnp.mean(critic(real)) - jnp.mean(critic(generated))


def gradient_penalty(critic: CriticFunction, real: Array, generated: Array, positions: Array) -> Array:
    """`mean((|grad C| - 1)^2)` at points on the segments between pairs of samples (batch, size).

    Args:
        critic: the function C.
        real, generated: the ends of the segments, row by row.
        positions: (batch, 1), where on each segment: 0 is `generated`, 1 is `real`.
    """
    points = generated + positions * (real - generated)
    slopes = jax.grad(lambda points: jnp.sum(critic(points)))(points)
    squares = jnp.sum(slopes**2, axis=-1)
    # The root has no derivative at zero, where a critic is flat.
    norms = jnp.where(squares > 0, jnp.sqrt(jnp.where(squares > 0, squares, 1)), 0)
    return jnp.mean((norms - 1) ** 2)


def critic_loss(critic: CriticFunction, real: Array, generated: Array, positions: Array) -> Array:
    """What a critic minimises: minus the estimate of the distance, and 10 times the gradient penalty."""
    penalty = gradient_penalty(critic, real, generated, positions)
    return GRADIENT_PENALTY * penalty - wasserstein_estimate(critic, real, generated)
