"""The sum that training minimises."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

from jax import Array

from .reconstruction import mean_squared_error, relative_error

ReconstructionLoss = Callable[[Array, Array], Array]
"""`(x, reconstruction) -> scalar`, of a batch."""

Objective = Callable[[Any, Array, Any], tuple[Array, dict[str, Array]]]
"""`(model, x, output) -> (loss, terms)`: the terms by name are what `metrics.jsonl` records."""

RECONSTRUCTION_LOSSES: dict[str, ReconstructionLoss] = {"relative": relative_error, "mse": mean_squared_error}


def make_objective(
    penalties: Mapping[str, Callable[[Any, Array, Any], Array]] | None = None,
    weights: Mapping[str, float] | None = None,
    reconstruction: Literal["relative", "mse"] | ReconstructionLoss = "relative",
) -> Objective:
    """The function `(model, x, output) -> (loss, {"reconstruction": ..., penalties by name})`.

    `loss = reconstruction + sum of weight * penalty`.

    Args:
        penalties: functions `(model, x, output) -> scalar`, by name; of a model of the family, `VRRAE().penalties()`.
        weights: a weight for each penalty, by the same names.
        reconstruction: the name of a loss, or a function `(x, reconstruction) -> scalar`.

    Example:
        >>> objective = make_objective(VRRAE().penalties(), {"kl": 1e-3})
    """
    penalties, weights = dict(penalties or {}), dict(weights or {})
    if penalties.keys() != weights.keys():
        raise ValueError(
            f"`weights` must have a weight for each penalty: penalties {sorted(penalties)}, weights {sorted(weights)}"
        )
    misfit = RECONSTRUCTION_LOSSES[reconstruction] if isinstance(reconstruction, str) else reconstruction

    def objective(model: Any, x: Array, output: Any) -> tuple[Array, dict[str, Array]]:
        loss = error = misfit(x, output.reconstruction)
        terms = {name: penalty(model, x, output) for name, penalty in penalties.items()}
        for name, term in terms.items():
            loss = loss + weights[name] * term
        return loss, {"reconstruction": error, **terms}

    return objective
