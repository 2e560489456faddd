"""The sum that training minimises."""

from collections.abc import Callable

import jax.numpy as jnp
from jax import Array

from ..config import ModelName, ObjectiveConfig
from ..family import FAMILY
from ..models import Autoencoder, Output
from .reconstruction import mean_squared_error, relative_error

_RECONSTRUCTIONS = {"relative": relative_error, "mse": mean_squared_error}

Objective = Callable[[Autoencoder, Array, Output], tuple[Array, dict[str, Array]]]


def make_objective(config: ObjectiveConfig, model: ModelName = "vrrae") -> Objective:
    """The function `(model, x, output) -> (loss, {"reconstruction": ..., "kl": ..., ...})` for a member of the family.

    `loss = reconstruction + beta * first penalty + regulariser * second penalty`, see `fastrrae.family`. Each penalty
    is reported by its name; `kl` is zero for a model that is not variational.
    """
    penalties = FAMILY[model].penalties
    asked = (config.beta, config.regulariser)
    weights = [penalty.weight if weight is None else weight for penalty, weight in zip(penalties, asked, strict=False)]

    def objective(model: Autoencoder, x: Array, output: Output) -> tuple[Array, dict[str, Array]]:
        reconstruction = _RECONSTRUCTIONS[config.reconstruction](x, output.reconstruction)
        terms = {penalty.name: penalty.of(config, model, output) for penalty in penalties}
        loss = sum((w * term for w, term in zip(weights, terms.values(), strict=True)), start=reconstruction)
        return loss, {"reconstruction": reconstruction, "kl": jnp.zeros(()), **terms}

    return objective
