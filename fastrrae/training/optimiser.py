"""The optax optimiser that a configuration asks for."""

import optax
import optax.contrib

from ..config import TrainingConfig

_OPTIMISERS = {"adabelief": optax.adabelief, "adam": optax.adam, "adamw": optax.adamw}


def make_optimiser(config: TrainingConfig, steps: int) -> optax.GradientTransformation:
    """The optimiser with its learning-rate schedule over `steps` steps."""
    rate: optax.ScalarOrSchedule = config.learning_rate
    if config.schedule == "cosine":
        rise = max(1, round(config.warm_up * steps))
        rate = optax.warmup_cosine_decay_schedule(0.0, config.learning_rate, rise, steps)
    optimiser = _OPTIMISERS[config.optimiser](rate)
    if config.schedule != "plateau":
        return optimiser
    halve = optax.contrib.reduce_on_plateau(factor=0.5, patience=2, accumulation_size=config.plateau_steps)
    return optax.chain(optimiser, halve)
