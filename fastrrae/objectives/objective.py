"""The sum that training minimises."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import jax.numpy as jnp
from jax import Array

from ..errors import InputError
from .reconstruction import cross_entropy, gaussian_misfit, mean_squared_error, relative_error

ReconstructionLoss = Callable[[Array, Array], Array]
"""`(x, reconstruction) -> scalar`, of a batch."""

Objective = Callable[[Any, Array, Any], tuple[Array, dict[str, Array]]]
"""`(model, x, output) -> (loss, terms)`: the terms by name are what `metrics.jsonl` records."""

ReconstructionName = Literal["relative", "mse", "cross-entropy", "gaussian"]


def make_objective(
    penalties: Mapping[str, Callable[[Any, Array, Any], Array]] | None = None,
    weights: Mapping[str, float] | None = None,
    reconstruction: ReconstructionName | ReconstructionLoss = "relative",
) -> Objective:
    """The function `(model, x, output) -> (loss, {"reconstruction": ..., penalties by name})`.

    `loss = reconstruction + sum of weight * penalty`. Where the output has several draws for each sample, the
    reconstruction loss is that of all draws together.

    Args:
        penalties: functions `(model, x, output) -> scalar`, by name; of a model of the family, `VRRAE().penalties()`.
        weights: a weight for each penalty, by the same names.
        reconstruction: the name of a loss, or a function `(x, reconstruction) -> scalar`. cross-entropy needs an output
            from a model with a sigmoid, gaussian a model with a variance (`Autoencoder.learn_variance`).

    Example:
        >>> objective = make_objective(VRRAE().penalties(), {"kl": 1e-3})
    """
    penalties, weights = dict(penalties or {}), dict(weights or {})
    if penalties.keys() != weights.keys():
        raise ValueError(
            f"`weights` must have a weight for each penalty: penalties {sorted(penalties)}, weights {sorted(weights)}"
        )
    misfit = _MISFITS[reconstruction] if isinstance(reconstruction, str) else _of_reconstruction(reconstruction)

    def objective(model: Any, x: Array, output: Any) -> tuple[Array, dict[str, Array]]:
        draws = output.reconstruction.shape[0] // x.shape[0]
        loss = error = misfit(model, x if draws == 1 else jnp.repeat(x, draws, axis=0), output)
        terms = {name: penalty(model, x, output) for name, penalty in penalties.items()}
        for name, term in terms.items():
            if jnp.shape(term):
                raise InputError(f"the penalty {name} must return a scalar; got shape {jnp.shape(term)}")
            loss = loss + weights[name] * term
        return loss, {"reconstruction": error, **terms}

    return objective


Misfit = Callable[[Any, Array, Any], Array]


def _of_reconstruction(loss: ReconstructionLoss) -> Misfit:
    return lambda model, x, output: loss(x, output.reconstruction)


def _cross_entropy(model: Any, x: Array, output: Any) -> Array:
    return cross_entropy(x, output.before_activation)


def _gaussian(model: Any, x: Array, output: Any) -> Array:
    return gaussian_misfit(x, output.reconstruction, model.log_variance[...])


_MISFITS: dict[str, Misfit] = {
    "relative": _of_reconstruction(relative_error),
    "mse": _of_reconstruction(mean_squared_error),
    "cross-entropy": _cross_entropy,
    "gaussian": _gaussian,
}
