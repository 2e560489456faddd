"""Fill in what a configuration leaves open, and refuse what cannot work, before anything is written."""

import math
from dataclasses import replace
from pathlib import Path

from .config import RunConfig
from .data import Dataset
from .errors import InputError
from .recipes import RECIPES


def resolve_config(config: RunConfig, dataset: Dataset) -> RunConfig:
    """The configuration with steps, beta and absolute paths settled, checked against the data set."""
    recipe = RECIPES.get(config.recipe)
    if recipe is None:
        raise InputError(f"recipe must be one of {', '.join(RECIPES)}; got {config.recipe!r}")
    training, objective, data = config.training, config.objective, config.data
    for name, value in (("batch-size", training.batch_size), ("log-every", training.log_every)):
        if value < 1:
            raise InputError(f"--{name} must be at least 1; got {value}")
    if not training.learning_rate > 0:
        raise InputError(f"--learning-rate must be positive; got {training.learning_rate}")
    if training.checkpoint_every < 1:
        raise InputError(f"--checkpoint-every must be at least 1; got {training.checkpoint_every}")
    steps = _steps(training.steps, training.epochs, recipe.default_steps, recipe.default_epochs, len(dataset.train),
                   training.batch_size)  # fmt: skip
    beta = recipe.betas.get(config.model.model, 0.0) if objective.beta is None else objective.beta
    if not (beta >= 0 and math.isfinite(beta)):
        raise InputError(f"--beta must be a finite number, not negative; got {beta}")
    resolved = replace(
        config,
        data=replace(data, data=None if data.data is None else str(Path(data.data).resolve())),
        objective=replace(objective, beta=beta),
        training=replace(training, steps=steps, epochs=None),
    )
    _check_rank(resolved)
    return resolved


def _steps(
    steps: int | None, epochs: float | None, default_steps: int | None, default_epochs: float | None,
    samples: int, batch_size: int,
) -> int:  # fmt: skip
    if steps is not None and epochs is not None:
        raise InputError(f"give --steps or --epochs, not both; got {steps} and {epochs:g}")
    if steps is None and epochs is None:
        steps, epochs = default_steps, default_epochs
    if steps is None:
        steps = math.ceil((epochs or 0) * samples / batch_size)
    if steps < 1:
        raise InputError(f"the budget must be at least one step; got {steps}")
    return steps


def _check_rank(config: RunConfig) -> None:
    """A batch's latent matrix is (batch_size, latent_size): its rank cannot be larger than either."""
    model, batch_size = config.model, config.training.batch_size
    if model.rank < 1 or model.latent_size < 1:
        raise InputError(f"--rank and --latent-size must be at least 1; got {model.rank} and {model.latent_size}")
    if model.model not in ("rrae", "vrrae"):
        return
    if model.rank > min(batch_size, model.latent_size):
        raise InputError(
            f"--rank must be at most min(batch size, latent size) = min({batch_size}, {model.latent_size}) = "
            f"{min(batch_size, model.latent_size)}; got {model.rank}. Lower --rank, or raise the smaller of "
            f"--batch-size and --latent-size"
        )
