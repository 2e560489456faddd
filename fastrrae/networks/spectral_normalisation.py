"""Spectral normalisation: every layer of a network made at most 1-Lipschitz (Miyato et al. 2018)."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array, lax

_TINY = 1e-12


class SpectrallyNormalised(nnx.Module):
    """A layer whose kernel is divided by its largest singular value, as a matrix (all else, channels_out).

    The singular vector comes from power iteration, one round for each batch in training mode; it is a running
    statistic, of which no derivative is taken. (flax has a layer of that name, which overwrites the kernel itself.)
    """

    def __init__(self, layer: Any, *, rngs: nnx.Rngs):
        self.layer = layer
        self.direction = nnx.BatchStat(_unit(jax.random.normal(rngs.params(), layer.kernel.shape[-1:])))
        self.deterministic = False

    def __call__(self, x: Array) -> Array:
        kernel = self.layer.kernel[...]
        matrix = kernel.astype(jnp.float32).reshape(-1, kernel.shape[-1])
        direction = self.direction[...]
        if self.deterministic:
            direction = _unit(direction)  # an average of directions is shorter
        else:
            direction = lax.stop_gradient(_unit(_unit(matrix @ direction) @ matrix))
            self.direction.set_value(direction)
        norm = jnp.linalg.norm(matrix @ direction)
        graph, variables = nnx.split(self.layer)
        layer = nnx.merge(graph, variables)
        layer.kernel = nnx.Param((kernel / jnp.maximum(norm, _TINY)).astype(kernel.dtype))
        return layer(x)


def normalise_spectrally(network: nnx.Module, *, rngs: nnx.Rngs) -> None:
    """Wrap every layer of `network` that has a kernel, in place; for networks of your own too."""
    for name, part in list(vars(network).items()):
        if isinstance(part, nnx.List):
            part[:] = [_wrapped(layer, rngs) for layer in part]
        else:
            setattr(network, name, _wrapped(part, rngs))


def _wrapped(part: Any, rngs: nnx.Rngs) -> Any:
    if not isinstance(part, nnx.Module):
        return part
    if hasattr(part, "kernel"):
        return SpectrallyNormalised(part, rngs=rngs)
    normalise_spectrally(part, rngs=rngs)
    return part


def _unit(vector: Array) -> Array:
    return vector / jnp.maximum(jnp.linalg.norm(vector), _TINY)
