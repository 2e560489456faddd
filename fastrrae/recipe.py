"""What a recipe is: a configuration, and what its user should know."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .errors import InputError
from .models import MODELS
from .run_config import RunConfig

ON_ACCELERATORS = "not measured (meant for GPUs and TPUs)"


@dataclass(frozen=True)
class Recipe:
    """A configuration, and what its user should know."""

    config: RunConfig
    about: str
    expected_time: str
    expected_figure: str
    published: tuple[int, tuple[int, ...]] | None = None  # count and shape of the training set, where files are needed
    other_weights: Mapping[str, Mapping[str, float]] = field(default_factory=dict)  # of other models' penalties
    other_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # of other models

    @property
    def budget(self) -> str:
        """The length of training in words."""
        training = self.config.training
        return f"{training.steps} steps" if training.steps else f"{training.epochs:g} epochs"

    def config_for(self, model: str) -> RunConfig:
        """The configuration with another model: its options as far as both have them, its weights if known here."""
        if model not in MODELS:
            raise InputError(f"`model` must be one of {', '.join(MODELS)}; got {model!r}")
        if model == self.config.model.name:
            return self.config
        weights = dict(self.other_weights.get(model, {}))
        return replace(
            self.config,
            model=MODELS[model].sharing(self.config.model, **self.other_options.get(model, {})),
            objective=replace(self.config.objective, weights=weights),
        )
