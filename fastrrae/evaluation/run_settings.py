"""What evaluations and reports say of a run's configuration."""

from dataclasses import replace
from typing import Any

from ..run import Run
from ..run_config import RunConfig, flat_fields, without_place


def title(run: Run) -> str:
    """Of the report."""
    return f"{run.name.upper()} on {run.config.recipe}"


def main_settings(config: RunConfig) -> str:
    """The settings that a report starts with."""
    weights = [f"weight of {name} {weight:g}" for name, weight in config.objective.weights.items()]
    return ", ".join([*weights, f"batch size {config.training.batch_size}", f"seed {config.training.seed}"])


def without_seed(config: RunConfig) -> RunConfig:
    """What runs that differ in their seeds, places and devices alone have in common."""
    config = without_place(config)
    return replace(config, training=replace(config.training, seed=0))


def settings_by_name(config: RunConfig) -> dict[str, Any]:
    """All options by short names: `batch size`, `weight of kl`."""
    settings = {}
    for path, value in flat_fields(config).items():
        section, _, name = path.rpartition(".")
        if path == "objective.weights":
            settings |= {f"weight of {penalty}": weight for penalty, weight in value.items()}
        elif section and path != "model.name":
            settings[name.replace("_", " ")] = value
    return settings
