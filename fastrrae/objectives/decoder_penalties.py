"""Penalties of the RAE on its decoder (Ghosh et al. 2020, section 3.1)."""

from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

GradientOf = Literal["output", "jacobian"]


def kernel_l2(decoder: Any) -> Array:
    """RAE-L2: the sum of squares of all kernels of the decoder, without biases."""
    leaves, _ = jax.tree.flatten_with_path(nnx.state(decoder, nnx.Param))
    kernels = [leaf for path, leaf in leaves if "kernel" in jax.tree_util.keystr(path)]
    return sum((jnp.sum(kernel**2) for kernel in kernels), start=jnp.zeros(()))


def gradient_penalty(
    decoder: Any, z: Array, of: GradientOf = "output", activation: Callable[[Array], Array] = lambda y: y
) -> Array:
    """RAE-GP: how steep the decoder is at `z` (batch, latent_size).

    output: `mean(g^2)` over samples and coordinates, where g is the gradient of `sum D(z)^2` by z: the authors' code.
    jacobian: the mean over samples of `|dD / dz|_F^2`: the paper's formula, at the price of a pass for each coordinate.
    D is the decoder with the `activation` of its output.
    """
    decode = as_function(decoder)

    def apply(z: Array) -> Array:
        return activation(decode(z))

    if of == "output":
        return jnp.mean(jax.grad(lambda z: jnp.sum(apply(z) ** 2))(z) ** 2)

    def along(direction: Array) -> Array:
        return jnp.sum(directional_derivative(apply, z, jnp.broadcast_to(direction, z.shape)) ** 2)

    return jnp.sum(jax.lax.map(along, jnp.eye(z.shape[-1], dtype=z.dtype))) / z.shape[0]


def directional_derivative(function: Callable[[Array], Array], z: Array, direction: Array) -> Array:
    """The derivative of `function` at `z` along `direction` (the shape of `z`), of the shape of its result.

    By reverse mode alone, as the transpose of a transpose: our convolutions have no forward mode.
    """
    y, pullback = jax.vjp(function, z)
    return jax.vjp(lambda cotangent: pullback(cotangent)[0], jnp.zeros_like(y))[1](direction)[0]


def kernel_l2_penalty(model: Any, x: Array, output: Any) -> Array:
    """The penalty `(model, x, output) -> scalar`: `kernel_l2` of the model's decoder."""
    return kernel_l2(model.decoder)


def decoder_gradient_penalty(of: GradientOf) -> Callable[[Any, Array, Any], Array]:
    """The penalty `(model, x, output) -> scalar`: `gradient_penalty` of the model's decoder at the batch's latents."""
    return lambda model, x, output: gradient_penalty(model.decoder, output.latent.z, of, model.activate)


def as_function(decoder: Any, *, at_inference: bool = False) -> Callable[[Array], Array]:
    """The decoder as a pure function; changes of its running statistics are dropped.

    Args:
        decoder: the network.
        at_inference: in inference mode, where each sample is decoded alone; by default in the mode that it is in.
    """
    graph, state = nnx.split(decoder)

    def decode(z: Array) -> Array:
        copy = nnx.merge(graph, state)
        if at_inference:
            copy.eval()
        return copy(z)

    return decode
