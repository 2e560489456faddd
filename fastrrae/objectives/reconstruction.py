"""How far a batch is from its reconstruction: errors, and negative logarithms of likelihoods."""

import jax.numpy as jnp
from jax import Array


def relative_error(x: Array, reconstruction: Array) -> Array:
    """`100 ||x' - x||_F / ||x||_F` over all samples together, in per cent."""
    squares = jnp.sum((reconstruction - x) ** 2)
    # The root has no derivative at zero; a perfect batch has nothing to learn from.
    distance = jnp.where(squares > 0, jnp.sqrt(jnp.where(squares > 0, squares, 1)), 0)
    return 100 * distance / jnp.sqrt(jnp.sum(x**2))


def mean_squared_error(x: Array, reconstruction: Array) -> Array:
    """`mean((x' - x)^2)` over samples and values."""
    return jnp.mean((reconstruction - x) ** 2)


def cross_entropy(x: Array, logits: Array) -> Array:
    """The mean over samples of `-sum(x log p + (1 - x) log(1 - p))` with `p = sigmoid(logits)`, in nats.

    For `x` in {0, 1} it is the negative log-likelihood of independent Bernoulli variables. It is computed from the
    logits, so that it stays finite, and its gradient exact, where p rounds to 0 or 1.
    """
    # max(l, 0) - l x + log(1 + exp(-|l|)), the usual form without overflow
    entropies = jnp.maximum(logits, 0) - logits * x + jnp.log1p(jnp.exp(-jnp.abs(logits)))
    return jnp.sum(entropies) / x.shape[0]


def gaussian_misfit(x: Array, reconstruction: Array, log_variance: Array) -> Array:
    """The mean over samples of `(D log gamma + ||x' - x||^2 / gamma) / 2` for D values a sample, in nats.

    It is the negative log-likelihood of a Gaussian of variance gamma around the reconstruction, without the constant
    `D log(2 pi) / 2`. Its minimum by gamma is at the mean squared error (Dai and Wipf 2019).
    """
    squares = jnp.sum((reconstruction - x) ** 2) / x.shape[0]
    values = x.size // x.shape[0]
    return 0.5 * (values * log_variance + squares * jnp.exp(-log_variance))
