"""Images rotated, sheared, scaled and shifted at random, on the device, before a model encodes them.

The images that are to be reconstructed stay as they are: a denoising autoencoder, whose code has to leave out how an
image was distorted.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.ndimage import map_coordinates

from ..errors import InputError

# The most at strength 1, either way.
ROTATION = 0.3  # radians
SHEAR = 0.25  # sideways, by height
SCALE = 0.12  # of the logarithm of each side
SHIFT = 0.09  # of each side


def require_images(sample_shape: Sequence[int], field: str = "training.distort") -> None:
    """Refuse samples that are not (height, width, channels)."""
    if len(sample_shape) != 3:
        raise InputError(f"`{field}` is for images, samples of shape (H, W, C); got {tuple(sample_shape)}")


@dataclass(frozen=True)
class Distortion:
    """How strongly images are distorted: each number uniform within the bounds above, times `strength`."""

    strength: float
    seed: int = 0

    def __call__(self, x: Array, step: Array | int) -> Array:
        """Images (batch, height, width, channels) as step number `step` sees them, the same at each call.

        Values between pixels are interpolated linearly; beyond the border lie those of the border.
        """
        require_images(x.shape[1:])
        key = jax.random.fold_in(jax.random.key(self.seed), step)
        numbers = self.strength * jax.random.uniform(key, (6, len(x), 1, 1), minval=-1, maxval=1)
        rotation, shear, widen, heighten, across, down = numbers
        height, width = x.shape[1:3]
        middle, centre = (height - 1) / 2, (width - 1) / 2
        row, column = jnp.arange(height)[:, None] - middle, jnp.arange(width) - centre
        cos, sin = jnp.cos(ROTATION * rotation), jnp.sin(ROTATION * rotation)
        # Where the value of each pixel comes from, (batch, height, width).
        rows = jnp.exp(SCALE * heighten) * (cos * row - sin * column)
        columns = jnp.exp(SCALE * widen) * (cos * column + sin * row) + SHEAR * shear * row
        rows += SHIFT * down * height + middle
        columns += SHIFT * across * width + centre

        def sample(plane: Array, rows: Array, columns: Array) -> Array:
            return map_coordinates(plane, [rows, columns], order=1, mode="nearest")

        of_channels = jax.vmap(sample, in_axes=(-1, None, None), out_axes=-1)
        return jax.vmap(of_channels)(x, rows, columns).astype(x.dtype)
