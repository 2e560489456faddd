"""Learning rates that halve where no progress is seen: of the training loss, or of the validation error."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
import optax.contrib
from jax import Array

# Of the state below: the name by which it is found in that of a training.
_SCALE = "validation_scale"


def halved_on_plateaus_of_the_loss(steps: int) -> optax.GradientTransformationExtraArgs:
    """Halves the rate after two averages of the loss, each over `steps` steps, without improvement."""
    return optax.contrib.reduce_on_plateau(factor=0.5, patience=2, accumulation_size=steps)


class ValidationScale(NamedTuple):
    """The factor of the rate, which steps leave as it is."""

    validation_scale: Array  # ()


def scaled_by_validations() -> optax.GradientTransformation:
    """Scales updates by a factor that `halve_after_validation` changes between steps."""

    def start(params: Any) -> ValidationScale:
        del params
        return ValidationScale(jnp.ones(()))

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        del params
        return jax.tree.map(lambda u: u * state.validation_scale.astype(u.dtype), updates), state

    return optax.GradientTransformation(start, update)


def halve_after_validation(state: Any) -> Any:
    """A training state whose `scaled_by_validations` scales by half as much."""

    def halved(path: Any, leaf: Any) -> Any:
        return leaf * 0.5 if _SCALE in jax.tree_util.keystr(path) else leaf

    return jax.tree_util.tree_map_with_path(halved, state)
