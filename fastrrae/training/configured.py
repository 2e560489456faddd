"""What a configuration says of the training step: training and planning ask here, so that they mean the same step."""

from typing import Any

from ..config import RunConfig, TrainingConfig
from ..data import Normalisation
from ..data.distortion import Distortion
from ..objectives.objective import make_objective
from .adaptive_rank import AdaptiveRank
from .forward import make_forward
from .optimiser import make_optimiser


def step_options(config: RunConfig, steps: int, normalisation: Normalisation) -> dict[str, Any]:
    """All arguments of `start_training` and `describe_step` but the model and the mesh, for a run of so many steps."""
    training = config.training
    return {
        "transformation": make_optimiser(training, steps),
        "objective": make_objective(config.objective, config.model.model),
        "forward": make_forward(bfloat16=training.precision == "bfloat16", remat=training.remat),
        "accumulate": training.accumulate,
        "normalisation": normalisation,
        "distort": Distortion(training.distort, training.seed) if training.distort else None,
        "adaptive_rank": _adaptive_rank(training, steps) if config.model.adaptive_rank else None,
    }


def _adaptive_rank(training: TrainingConfig, steps: int) -> AdaptiveRank:
    latest = round(training.rank_settle * steps)
    return AdaptiveRank(training.rank_window, training.rank_patience, training.rank_tolerance, latest)
