"""Coupling layers: some coordinates choose a monotone spline for each of the others (Durkan et al. 2019)."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array, lax

from ...networks.initializers import fan_in_uniform
from .rational_quadratic import PARAMETERS, apply_spline, invert_spline

Layer = tuple[Array, list[Array], list[Array]]  # which coordinates are kept, kernels, biases


class SplineCouplings(nnx.Module):
    """Layers `y = spline(x; network(kept coordinates))` of the coordinates that are not kept; the others stay.

    In turn, the layers leave unchanged the even coordinates, the odd ones, the first half, and the second half. A
    single
    coordinate has nothing to depend on: each layer is a spline of its own. All layers have the same shapes, so that
    they compile as one. They start as the identity.

    Args:
        rank: size of the vectors.
        layers: how many.
        width: units of the two hidden layers of each network.
        rngs: random streams of the networks.
    """

    def __init__(self, rank: int, layers: int, width: int, *, rngs: nnx.Rngs):
        self.layers = layers
        self.kept = tuple(tuple(map(bool, pattern)) for pattern in _patterns(rank, layers))
        sizes = (rank, width, width)
        self.kernels = nnx.List(
            nnx.Param(fan_in_uniform(before)(rngs.params(), (layers, before, after)))
            for before, after in itertools.pairwise(sizes)
        )
        self.kernels.append(nnx.Param(jnp.zeros((layers, width, rank * PARAMETERS))))
        self.biases = nnx.List(nnx.Param(jnp.zeros((layers, size))) for size in (width, width, rank * PARAMETERS))

    def __call__(self, x: Array) -> tuple[Array, Array]:
        """`y` (batch, rank), and log |det dy/dx| (batch,)."""

        def apply(carry: tuple[Array, Array], layer: Layer) -> tuple[tuple[Array, Array], None]:
            x, log_determinant = carry
            y, log_slopes = apply_spline(x, _parameters(layer, x))
            added = jnp.sum(jnp.where(layer[0], 0.0, log_slopes), axis=-1)
            return (jnp.where(layer[0], x, y), log_determinant + added), None

        return lax.scan(apply, (x, jnp.zeros(len(x), x.dtype)), self._layers())[0]

    def inverse(self, y: Array) -> Array:
        """`x` (batch, rank) from `y` (batch, rank)."""

        def apply(y: Array, layer: Layer) -> tuple[Array, None]:
            return jnp.where(layer[0], y, invert_spline(y, _parameters(layer, y))), None

        return lax.scan(apply, y, self._layers(), reverse=True)[0]

    def _layers(self) -> Layer:
        kernels, biases = ([variable[...] for variable in of] for of in (self.kernels, self.biases))
        return jnp.asarray(np.array(self.kept)), kernels, biases


def _parameters(layer: Layer, x: Array) -> Array:
    """The free parameters (batch, rank, PARAMETERS) of the splines, by the network of a layer."""
    kept, kernels, biases = layer
    hidden = jnp.where(kept, x, 0.0)
    for kernel, bias in zip(kernels[:-1], biases[:-1], strict=True):
        hidden = jax.nn.relu(hidden @ kernel + bias)
    return (hidden @ kernels[-1] + biases[-1]).reshape(*x.shape, PARAMETERS)


def _patterns(rank: int, layers: int) -> list[np.ndarray]:
    """For each layer, the coordinates that are kept, (rank,) bool: never all of them."""
    index, half = np.arange(rank), math.ceil(rank / 2)
    usable = [kept for kept in (index % 2 == 1, index % 2 == 0, index >= half, index < half) if not kept.all()]
    return [usable[layer % len(usable)] for layer in range(layers)]
