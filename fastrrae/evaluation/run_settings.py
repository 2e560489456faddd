"""What evaluations and reports say of a run's configuration."""

from collections import Counter
from collections.abc import Sequence
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


def differing_settings(configs: Sequence[RunConfig]) -> list[dict[str, Any]]:
    """Of each configuration, the model and the settings that differ between those that have them, by short names."""
    settings = [settings_by_name(config) for config in configs]
    names = list(dict.fromkeys(name for own in settings for name in own))
    telling = [name for name in names if len({str(own[name]) for own in settings if name in own}) > 1]
    models = [config.model.name for config in configs]
    return [
        {"model": model} | {name: own[name] for name in telling if name in own}
        for model, own in zip(models, settings, strict=True)
    ]


def names_of_configs(configs: Sequence[RunConfig]) -> list[str]:
    """The model of each, and the settings that differ between runs of this model: `vrrae, weight of kl 0.001`."""
    settings = [settings_by_name(config) for config in configs]
    models = [config.model.name for config in configs]
    names = []
    for own, model in zip(settings, models, strict=True):
        alike = [other for other, of in zip(settings, models, strict=True) if of == model]
        telling = [name for name in own if len({str(other.get(name)) for other in alike}) > 1]
        names.append(", ".join([model, *(f"{name} {own[name]}" for name in telling)]))
    return names


def names_of_runs(runs: Sequence[Run]) -> list[str]:
    """As `names_of_configs`; runs that do not differ in their settings, as those of other data, by their folders."""
    names = names_of_configs([without_place(run.config) for run in runs])
    same = {name for name, count in Counter(names).items() if count > 1}
    return [f"{name} ({run.folder.root})" if name in same else name for name, run in zip(names, runs, strict=True)]
