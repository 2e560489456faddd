"""Fill in what a configuration leaves open, and refuse what cannot work, before anything is written."""

import math
from dataclasses import replace
from pathlib import Path

from ..buckets import as_address
from ..config import DataConfig, ObjectiveConfig, TrainingConfig
from ..data import Dataset
from ..data.distortion import require_images
from ..errors import InputError
from ..models import RRAE, Autoencoder, Model
from ..run_config import RunConfig
from .likelihoods import network_of, require_values
from .mesh import require_divisible
from .metrics_log import NOT_PENALTIES
from .own_parts import OwnParts


def resolve_config(
    config: RunConfig,
    dataset: Dataset | int,
    *,
    parts: OwnParts | None = None,
    model: Autoencoder | None = None,
    data_devices: int = 1,
) -> RunConfig:
    """The configuration with steps, weights, absolute paths and own parts settled, checked against data and devices.

    Args:
        config: the configuration as the user gave it.
        dataset: what is trained on, or how many samples that is.
        parts: what was handed over in Python.
        model: as built, to describe own parts.
        data_devices: devices that share each batch.

    Raises:
        InputError: something does not fit; the message names the field.
    """
    parts = parts or OwnParts()
    training, data = config.training, config.data
    train_count = dataset if isinstance(dataset, int) else len(dataset.train)
    if isinstance(dataset, Dataset):
        data = recorded_data(data, dataset)
        if training.distort:
            require_images(dataset.sample_shape)
        if training.flip:
            require_images(dataset.sample_shape, "training.flip")
        _require_validation(training, dataset)
        if parts.reconstruction is None:
            _require_loss_of(config.objective.reconstruction, dataset)
    require_divisible(training.batch_size, training.accumulate, data_devices)
    resolved = replace(
        config,
        data=data if data.data is None else replace(data, data=_absolute(data.data)),
        objective=_objective(config, parts),
        training=replace(
            training,
            steps=_steps(training, train_count),
            epochs=None,
            optimiser=_own(training.optimiser, parts.optimiser, "training.optimiser", "optimiser"),
        ),
        own_parts={} if model is None else parts.describe(model),
    )
    if isinstance(dataset, Dataset):
        require_values(network_of(config).output if model is None else model.output, dataset)
    if not parts.replaces_bottleneck:
        _require_model(resolved)
    return resolved


def _require_model(config: RunConfig) -> None:
    """Raise unless the model can be trained so."""
    model, training = config.model, config.training
    model.check_batch(training.batch_size // training.accumulate)
    model.check_reconstruction(config.objective.reconstruction)
    if training.accumulate > 1 and model.separate_updates(training.steps or 1):
        raise InputError(
            f"`training.accumulate` must be 1 for {model.name}, whose critic compares whole batches; got "
            f"{training.accumulate}"
        )
    if training.ema_decay and isinstance(model, RRAE) and model.adaptive_rank:
        raise InputError(
            f"`training.ema_decay` must be 0 with `model.adaptive_rank`: weights of different ranks have no common "
            f"average; got {training.ema_decay:g}"
        )
    if config.objective.noise_draws > 1 and not model.draws_noise:
        raise InputError(
            f"`objective.noise_draws` must be 1 for {model.name}, which adds no noise; got "
            f"{config.objective.noise_draws}"
        )


def _absolute(path: str) -> str:
    return as_address(path) or str(Path(path).resolve())


def _require_validation(training: TrainingConfig, dataset: Dataset) -> None:
    if dataset.validation is None:
        asked = [name for name in ("validate_every", "stop_after") if getattr(training, name) is not None]
        if training.schedule == "validation-plateau":
            asked.append("schedule")
        if asked:
            raise InputError(
                f"`training.{asked[0]}` needs data with a validation split: give `data.validation_fraction`, or "
                f"`validation_fraction` to `Dataset.from_arrays`"
            )
        return
    every = training.validate_every or training.checkpoint_every
    if training.keep_best and training.checkpoint_every % every:
        raise InputError(
            f"`training.keep_best` compares checkpoints by their validation, so `training.checkpoint_every` must be a "
            f"multiple of `training.validate_every`; got {training.checkpoint_every} and {every}"
        )


def _require_loss_of(reconstruction: str, dataset: Dataset) -> None:
    """Strings have a loss of their own: their networks give logits of rules, not values."""
    if (reconstruction == "rules") != (dataset.codec is not None):
        wanted = "relative or mse, of numbers" if dataset.codec is None else "rules, of strings of a grammar"
        raise InputError(f"`objective.reconstruction` must be {wanted}, for these data; got {reconstruction}")


def recorded_data(data: DataConfig, dataset: Dataset) -> DataConfig:
    """The section that describes `dataset`: what it was loaded from, or that it was handed over in Python."""
    if dataset.loaded_from is not None:
        return replace(dataset.loaded_from, workers=data.workers)
    own = DataConfig("own", workers=data.workers, shard_window=data.shard_window)
    codec = dataset.codec
    return own if codec is None else replace(own, grammar=codec.grammar.text, tokens=codec.tokens)


def _objective(config: RunConfig, parts: OwnParts) -> ObjectiveConfig:
    objective = config.objective
    name = _own(objective.reconstruction, parts.reconstruction, "objective.reconstruction", "reconstruction")
    return replace(objective, reconstruction=name, weights=_weights(config.model, objective, name, parts))


def _weights(model: Model, objective: ObjectiveConfig, reconstruction: str, parts: OwnParts) -> dict[str, float]:
    """For every penalty of the model, and of the user."""
    own: dict[str, float] = {}
    taken = {*model.penalties(), *(update.name for update in model.separate_updates(1)), *NOT_PENALTIES}
    for name in parts.penalties:
        if name in taken:
            raise InputError(f"`penalties` must have names that are free; {name!r} is taken by {model.name}")
        if name not in objective.weights:
            raise InputError(f"`objective.weights.{name}` must be given: the weight of your penalty {name!r}")
        own[name] = objective.weights[name]
    given = {name: weight for name, weight in objective.weights.items() if name not in own}
    if parts.replaces_bottleneck and not given:
        return own  # the penalties of the configured model belong to its bottleneck
    return {**model.weights(given, reconstruction=reconstruction), **own}


def _own(asked: str, given: object, path: str, argument: str) -> str:
    """The name of a choice, `own` where the user has handed something over (an optimiser, but not a schedule)."""
    if given is not None and not (argument == "optimiser" and not hasattr(given, "init")):
        return "own"
    if asked == "own":
        raise InputError(f"`{path}` is own, so `{argument}` must be handed over")
    return asked


def _steps(training: TrainingConfig, samples: int) -> int:
    if training.steps is not None:
        return training.steps
    if training.epochs is None:
        raise InputError("the length of training must be given: `training.steps` or `training.epochs`")
    return math.ceil(training.epochs * samples / training.batch_size)
