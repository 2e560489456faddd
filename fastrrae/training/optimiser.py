"""The optax optimiser that a configuration, or the user, asks for."""

import optax

from ..config import TrainingConfig
from .own_parts import Optimiser
from .plateau import halved_on_plateaus_of_the_loss, scaled_by_validations

_OPTIMISERS = {"adabelief": optax.adabelief, "adam": optax.adam, "adamw": optax.adamw}


def make_optimiser(config: TrainingConfig, steps: int, own: Optimiser | None = None) -> optax.GradientTransformation:
    """The optimiser with its learning-rate schedule over `steps` steps.

    Args:
        config: which optimiser and schedule.
        steps: length of the training.
        own: an optimiser that takes the place of both, or a schedule that takes the place of the configured one.
    """
    if isinstance(own, optax.GradientTransformation):
        return own
    optimiser = _OPTIMISERS[config.optimiser](own or _learning_rate(config, steps))
    if config.schedule == "plateau" and own is None:
        return optax.chain(optimiser, halved_on_plateaus_of_the_loss(config.plateau_steps))
    if config.schedule == "validation-plateau" and own is None:
        return optax.chain(optimiser, scaled_by_validations())
    return optimiser


def _learning_rate(config: TrainingConfig, steps: int) -> optax.ScalarOrSchedule:
    if config.schedule != "cosine":
        return config.learning_rate
    rise = max(1, round(config.warm_up * steps))
    return optax.warmup_cosine_decay_schedule(0.0, config.learning_rate, rise, steps)
