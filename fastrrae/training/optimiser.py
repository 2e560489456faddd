"""The optax optimiser that a configuration asks for."""

import optax

from ..config import TrainingConfig

_OPTIMISERS = {"adabelief": optax.adabelief, "adam": optax.adam, "adamw": optax.adamw}
_WARM_UP = 0.02  # share of the steps


def make_optimiser(config: TrainingConfig, steps: int) -> optax.GradientTransformation:
    """The optimiser with its learning-rate schedule over `steps` steps."""
    rate: optax.ScalarOrSchedule = config.learning_rate
    if config.schedule == "cosine":
        rate = optax.warmup_cosine_decay_schedule(0.0, config.learning_rate, max(1, round(_WARM_UP * steps)), steps)
    return _OPTIMISERS[config.optimiser](rate)
