"""Images reflected at random, on the device: as if the training set held their mirror images too."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array

from .distortion import require_images

_STREAM = 0x666C6970  # keeps the random numbers apart from those of the distortion, which has the same seed


@dataclass(frozen=True)
class Flip:
    """Reflects each image left to right with probability one half."""

    seed: int = 0

    def __call__(self, x: Array, step: Array | int) -> Array:
        """Images (batch, height, width, channels) as step number `step` sees them, the same at each call."""
        require_images(x.shape[1:], "training.flip")
        key = jax.random.fold_in(jax.random.fold_in(jax.random.key(self.seed), _STREAM), step)
        chosen = jax.random.bernoulli(key, shape=(len(x), 1, 1, 1))
        return jnp.where(chosen, x[:, :, ::-1], x)
