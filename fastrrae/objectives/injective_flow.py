"""The terms of the relaxed injective probability flow (Kumar et al. 2020): the change of volume of a decoder."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from .decoder_penalties import as_function, directional_derivative

# Variance, in normalised values, of the noise that the surface is blurred by in training. Without it, a decoder that is
# constant has no volume and all the likelihood, and training ended there on the digits.
NOISE = 1e-3


def log_volume_bound(decode: Callable[[Array], Array], z: Array, directions: Array, *, noise: float = 1e-12) -> Array:
    """An upper bound of `1/2 log det J^T J` at each of `z` (batch, rank), with J = d decode / dz: (batch,), in nats.

    `rank / 2 * log(mean_s |J v_s|^2)` for the unit vectors v_s in `directions` (count, batch, rank). For orthonormal
    directions, as many as there are coordinates, it is the inequality of the arithmetic and the geometric mean of the
    eigenvalues. For uniformly random ones it is an upper bound on average over them, by Jensen's inequality, for any
    count: the fewer, the tighter on average, and the noisier.

    Args:
        decode: the decoder, of each row alone.
        z: coefficients.
        directions: unit vectors.
        noise: a variance that is added to the squares; the bound is then that of `J^T J + noise I`.
    """

    def squared_length(direction: Array) -> Array:
        moved = directional_derivative(decode, z, direction)
        return jnp.sum(moved.reshape(len(moved), -1) ** 2, axis=-1)

    squares = jnp.mean(jax.lax.map(squared_length, directions), axis=0)
    return z.shape[-1] / 2 * jnp.log(squares + noise)


def random_directions(key: Array, count: int, shape: tuple[int, ...]) -> Array:
    """Orthonormal vectors in uniformly random directions, for each row of (batch, rank): (count, batch, rank).

    Their signs are not random: nothing that is squared depends on them.
    """
    batch, rank = shape
    normal = jax.random.normal(key, (batch, rank, count))
    orthonormal, _ = jnp.linalg.qr(normal)
    return jnp.moveaxis(orthonormal, -1, 0)


def log_volume_penalty(model: Any, x: Array, output: Any) -> Array:
    """The penalty `(model, x, output) -> scalar`: the mean bound, along directions that the bottleneck draws.

    The decoder is taken as it is at inference, where each sample is decoded alone.
    """
    decode = as_function(model.decoder, at_inference=True)
    z = output.latent.z
    directions = model.bottleneck.draw_directions(z)
    return jnp.mean(log_volume_bound(lambda z: model.activate(decode(z)), z, directions, noise=NOISE))


def negative_log_prior_penalty(model: Any, x: Array, output: Any) -> Array:
    """The penalty `(model, x, output) -> scalar`: the mean of `-log p(z)` under the model's prior."""
    return -jnp.mean(model.prior.log_prob(output.latent.z))
