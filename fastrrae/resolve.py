"""Fill in what a configuration leaves open, and refuse what cannot work, before anything is written."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from .config import ModelConfig, ModelName, ObjectiveConfig, RunConfig, TrainingConfig
from .errors import InputError
from .family import FAMILY, Penalty
from .recipes import RECIPES, Recipe
from .training.mesh import require_divisible


def resolve_config(config: RunConfig, train_count: int, *, parts: int = 1) -> RunConfig:
    """The configuration with steps, beta and absolute paths settled, checked against the data and the devices.

    Args:
        config: what was asked for.
        train_count: samples to train on.
        parts: devices that share each batch.
    """
    recipe = RECIPES.get(config.recipe)
    if recipe is None:
        raise InputError(f"recipe must be one of {', '.join(RECIPES)}; got {config.recipe!r}")
    training, objective, data = config.training, config.objective, config.data
    _check_model(config.model)
    _check_training(training)
    require_divisible(training.batch_size, training.accumulate, parts)
    steps = _steps(training, recipe, train_count)
    beta, regulariser = _weights(config, recipe)
    resolved = replace(
        config,
        data=replace(data, data=None if data.data is None else str(Path(data.data).resolve())),
        objective=replace(objective, beta=beta, regulariser=regulariser),
        training=replace(training, steps=steps, epochs=None),
    )
    _check_rank(resolved)
    return resolved


def _check_model(model: ModelConfig) -> None:
    if model.linear_layers < 1 or not model.linear_variance > 0 or model.deviation < 0:
        raise InputError(
            "--linear-layers must be at least 1, --linear-variance positive, --deviation not negative; got "
            f"{model.linear_layers}, {model.linear_variance}, {model.deviation}"
        )
    if not 0 <= model.align_after < 1:
        raise InputError(
            f"--align-after must be a share of the steps, at least 0 and below 1; got {model.align_after:g}"
        )
    if model.align_after and model.model != "gmm-dae":
        raise InputError(f"--align-after is for the model whose prior is a mixture, gmm-dae; got {model.model}")


def _check_training(training: TrainingConfig) -> None:
    for name in (
        "batch_size",
        "log_every",
        "checkpoint_every",
        "accumulate",
        "keep_last",
        "plateau_steps",
        "rank_window",
        "rank_patience",
    ):
        if getattr(training, name) < 1:
            raise InputError(f"--{name.replace('_', '-')} must be at least 1; got {getattr(training, name)}")
    if training.keep_best < 0 or (training.keep_best and training.log_every > training.checkpoint_every):
        raise InputError(
            f"--keep-best must not be negative, and needs --log-every to be at most --checkpoint-every, to compare "
            f"checkpoints by what was logged before them; got {training.keep_best}, {training.log_every} and "
            f"{training.checkpoint_every}"
        )
    if not training.learning_rate > 0:
        raise InputError(f"--learning-rate must be positive; got {training.learning_rate}")
    if not 0 <= training.warm_up < 1:
        raise InputError(f"--warm-up must be a share of the steps, at least 0 and below 1; got {training.warm_up}")
    for name in ("rank_tolerance", "distort"):
        if not getattr(training, name) >= 0:
            raise InputError(f"--{name.replace('_', '-')} must not be negative; got {getattr(training, name)}")
    if not 0 < training.rank_settle <= 1:
        raise InputError(
            f"--rank-settle must be a share of the steps, above 0 and at most 1; got {training.rank_settle}"
        )


def _weights(config: RunConfig, recipe: Recipe) -> tuple[float, float | None]:
    """Of the model's penalties: as asked, else by the recipe, else by the family."""
    name, objective = config.model.model, config.objective
    penalties = FAMILY[name].penalties
    beta, regulariser = objective.beta or 0.0, objective.regulariser
    if penalties:
        beta = _weight("beta", objective.beta, recipe.betas, name, penalties[0], objective)
    if len(penalties) > 1:
        regulariser = _weight("regulariser", objective.regulariser, recipe.regularisers, name, penalties[1], objective)
    elif regulariser is not None:
        two = ", ".join(other for other, member in FAMILY.items() if len(member.penalties) > 1)
        raise InputError(f"--regulariser is the weight of a second penalty, which {name} has not; {two} have one")
    for option, weight in (("beta", beta), ("regulariser", regulariser or 0.0)):
        if not (weight >= 0 and math.isfinite(weight)):
            raise InputError(f"--{option} must be a finite number, not negative; got {weight}")
    return beta, regulariser


def _weight(
    option: str,
    asked: float | None,
    by_recipe: Mapping[ModelName, float],
    model: ModelName,
    penalty: Penalty,
    objective: ObjectiveConfig,
) -> float:
    if asked is not None:
        return asked
    if model in by_recipe:
        return by_recipe[model]
    if objective.reconstruction == "mse" and penalty.weight:
        raise InputError(
            f"--{option} must be given for {model} with this recipe: its usual weight, {penalty.weight:g}, belongs to "
            f"--reconstruction relative, and this is mse"
        )
    return penalty.weight


def _steps(training: TrainingConfig, recipe: Recipe, samples: int) -> int:
    steps, epochs = training.steps, training.epochs
    if steps is not None and epochs is not None:
        raise InputError(f"give --steps or --epochs, not both; got {steps} and {epochs:g}")
    if steps is None and epochs is None:
        steps, epochs = recipe.default_steps, recipe.default_epochs
    if steps is None:
        steps = math.ceil((epochs or 0) * samples / training.batch_size)
    if steps < 1:
        raise InputError(f"the budget must be at least one step; got {steps}")
    return steps


def _check_rank(config: RunConfig) -> None:
    """The latent matrix of a (micro-)batch is (batch_size, latent_size): its rank cannot be larger than either."""
    model, batch_size = config.model, config.training.batch_size // config.training.accumulate
    if model.rank < 1 or model.latent_size < 1:
        raise InputError(f"--rank and --latent-size must be at least 1; got {model.rank} and {model.latent_size}")
    if not FAMILY[model.model].reduces_rank:
        if model.adaptive_rank:
            raise InputError(f"--adaptive-rank is for models that reduce a rank, rrae and vrrae; got {model.model}")
        return
    if model.rank > min(batch_size, model.latent_size):
        raise InputError(
            f"--rank must be at most min(batch size, latent size) = min({batch_size}, {model.latent_size}) = "
            f"{min(batch_size, model.latent_size)}; got {model.rank}. Lower --rank, or raise the smaller of "
            f"--batch-size and --latent-size"
        )
