"""The whole configuration of a run, and its file `config.json`."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tyro

from .atomic_files import write_json
from .config import DataConfig, EvaluationConfig, NetworkConfig, ObjectiveConfig, ShardingConfig, TrainingConfig
from .config_fields import CheckedFields, decode_section
from .earlier_config import upgrade, upgrade_from_2
from .errors import InputError
from .models.base import Model
from .models.registry import MODELS
from .models.vrrae import VRRAE

FORMAT = 3


@dataclass(frozen=True)
class RunConfig(CheckedFields):
    """Everything that determines a run.

    Example:
        >>> RunConfig(
        ...     "my-experiment",
        ...     DataConfig("digits"),
        ...     VRRAE(rank=16, latent_size=64),
        ...     objective=ObjectiveConfig(weights={"kl": 1e-3}),
        ...     training=TrainingConfig(steps=1000),
        ... )
    """

    recipe: tyro.conf.Suppress[str] = "run"
    """A label, free to choose; of a recipe, its name."""
    data: DataConfig = field(default_factory=DataConfig)
    model: Model = field(default_factory=VRRAE)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    sharding: ShardingConfig = field(default_factory=ShardingConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    own_parts: tyro.conf.Suppress[Mapping[str, str]] = field(default_factory=dict)
    """Parts that were handed over in Python, by name: which they were, and a digest of their structure. Filled in by
    `train`."""
    parent: tyro.conf.Suppress[Mapping[str, str | int]] = field(default_factory=dict)
    """The run that this one goes on from: its folder, what was taken of it (`parameters` or `state`), its step and the
    digest of its parameters. Filled in by `train` and `continue_training`."""


def without_place(config: RunConfig) -> RunConfig:
    """What determines the result alone: without devices, readers, and where the data is."""
    data = dataclasses.replace(config.data, data=None, workers=0, staging_gib=None)
    return dataclasses.replace(config, data=data, sharding=ShardingConfig())


def flat_fields(config: RunConfig) -> dict[str, Any]:
    """Every field of a configuration by its full name: `training.steps`."""
    fields: dict[str, Any] = {}
    for section, values in encode_config(config).items():
        if isinstance(values, dict):
            fields |= {f"{section}.{name}": value for name, value in values.items()}
        elif section != "format":
            fields[section] = values
    return fields


def encode_config(config: RunConfig) -> dict[str, Any]:
    """The configuration as JSON values."""
    values = {"format": FORMAT, **dataclasses.asdict(config)}
    values["model"] = {"name": config.model.name, **values["model"]}
    return values


def save_config(config: RunConfig, path: Path) -> None:
    """Write `config` as JSON."""
    write_json(path, encode_config(config))


def load_config(path: Path) -> RunConfig:
    """Read what `save_config` wrote; a field that is unknown or of the wrong kind is named in the error."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path.parent} is not a run folder: it has no {path.name}") from None
    except ValueError as error:
        raise InputError(f"{path} is damaged: it is not JSON ({error}). Train the run again") from None
    try:
        return decode_config(values)
    except InputError as error:
        raise InputError(f"{path} is not a configuration that this version reads: {error}") from None


def decode_config(values: Any) -> RunConfig:
    """A configuration from JSON values, also of an earlier version's file."""
    if not isinstance(values, Mapping):
        raise InputError(f"a configuration must be an object with named sections; got {type(values).__name__}")
    if "format" not in values:
        values = upgrade(values, MODELS)
    elif values["format"] == 2:
        values = upgrade_from_2(values)
    elif values["format"] != FORMAT:
        raise InputError(f"its format is {values['format']!r}, and this version reads {FORMAT}")
    sections: dict[str, Any] = {name: value for name, value in values.items() if name != "format"}
    for name, kind in _SECTIONS.items():
        if name in sections:
            sections[name] = decode_section(kind, sections[name], name)
    if "model" in sections:
        sections["model"] = decode_model(sections["model"])
    return decode_section(RunConfig, sections, "")


def decode_model(values: Any) -> Model:
    """The options of a model from JSON values; `name` says which model."""
    if not isinstance(values, Mapping) or values.get("name") not in MODELS:
        got = values.get("name") if isinstance(values, Mapping) else values
        raise InputError(
            f"`model.name` must be one of {', '.join(MODELS)}; got {got!r}. A model of your own must be added to "
            f"`fastrrae.models.MODELS` first"
        )
    options = {name: value for name, value in values.items() if name != "name"}
    return decode_section(MODELS[values["name"]], options, "model")


_SECTIONS = {
    "data": DataConfig,
    "network": NetworkConfig,
    "objective": ObjectiveConfig,
    "training": TrainingConfig,
    "sharding": ShardingConfig,
    "evaluation": EvaluationConfig,
}
