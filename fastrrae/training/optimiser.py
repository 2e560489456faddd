"""The optax optimiser that a configuration asks for."""

import optax

from ..config import TrainingConfig

_OPTIMISERS = {"adabelief": optax.adabelief, "adam": optax.adam, "adamw": optax.adamw}


def make_optimiser(config: TrainingConfig, steps: int) -> optax.GradientTransformation:
    """The optimiser with its learning-rate schedule over `steps` steps."""
    rate: optax.ScalarOrSchedule = config.learning_rate
    if config.schedule == "cosine":
        rise = max(1, round(config.warm_up * steps))
        rate = optax.warmup_cosine_decay_schedule(0.0, config.learning_rate, rise, steps)
    return _OPTIMISERS[config.optimiser](rate)
