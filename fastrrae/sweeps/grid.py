"""From values of fields to the configurations and names of runs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any, NamedTuple

from ..config_fields import CheckedFields
from ..errors import InputError
from ..run_config import RunConfig, flat_fields, without_place

SEED = "training.seed"
_WEIGHTS = "objective.weights"
_BUDGET = {"training.steps": "training.epochs", "training.epochs": "training.steps"}
_FIXED = ("recipe", "model.name", "data.source", "data.data", "data.workers", "own_parts", "parent")


class SweepRun(NamedTuple):
    """One run of a sweep."""

    name: str  # of its folder: `rank=4_kl=0.001_seed=0`
    config: RunConfig


def runs_of_grid(
    base: RunConfig, values: Mapping[str, Sequence[Any]], seeds: Sequence[int], named_fields: Sequence[str] = ()
) -> Iterator[SweepRun]:
    """A run for each combination of the values, the first seed of all combinations first.

    Args:
        base: what all runs have in common.
        values: by the full name of the field: `model.rank`, `objective.weights.kl`.
        seeds: the seeds of the runs.
        named_fields: fields that stand in the names; by default those that have values.

    Raises:
        InputError: there is no such field, it takes no such value, or a value is there twice.
    """
    for path, of_field in values.items():
        _require_several_values(path, of_field)
    if not seeds or len(set(seeds)) < len(seeds):
        raise InputError(f"`seeds` must be at least one seed, and none twice; got {list(seeds)}")
    for seed in seeds:
        for combination in product(*values.values()):
            config = base
            for path, value in zip(values, combination, strict=True):
                config = with_field(config, path, value)
            config = _complete(replace(config, training=replace(config.training, seed=seed)))
            yield SweepRun(run_name(config, named_fields or list(values)), config)


def with_field(config: RunConfig, path: str, value: Any) -> RunConfig:
    """A configuration with another value of one field.

    Raises:
        InputError: there is no field of this name that a sweep can change, or it does not take the value.
    """
    section, _, name = path.rpartition(".")
    if section == _WEIGHTS:
        objective = replace(config.objective, weights={**config.objective.weights, name: value})
        return replace(config, objective=objective)
    known = sweepable_fields(config)
    if path not in known:
        weights = f"{_WEIGHTS}.PENALTY"
        raise InputError(f"`values` must name fields of the configuration ({', '.join([*known, weights])}); got {path}")
    changes = {name: value}
    if path in _BUDGET and value is not None:
        changes[_BUDGET[path].rpartition(".")[2]] = None  # of the two, the other is what the recipe had
    part: CheckedFields = getattr(config, section)
    return replace(config, **{section: replace(part, **changes)})  # pyright: ignore[reportArgumentType]


def sweepable_fields(config: RunConfig) -> list[str]:
    """The full names of all fields that runs of a sweep may differ in, without the weights and the seed."""
    without = (*_FIXED, _WEIGHTS, SEED)
    return [path for path in flat_fields(config) if path not in without and not path.startswith("sharding.")]


def values_of(config: RunConfig) -> dict[str, Any]:
    """Every field that determines a result, the weights one by one."""
    fields = flat_fields(without_place(config))
    weights = fields.pop(_WEIGHTS)
    return fields | {f"{_WEIGHTS}.{name}": weight for name, weight in weights.items()}


def short_name(path: str) -> str:
    """`rank` of `model.rank`."""
    return path.rpartition(".")[2]


def run_name(config: RunConfig, fields: Sequence[str]) -> str:
    """Readable and safe as the name of a folder: `rank=4_kl=0.001_seed=0`."""
    values = values_of(config)
    parts = [f"{short_name(path)}={_as_text(values.get(path))}" for path in (*fields, SEED)]
    return "_".join(parts)


def setting_text(value: Any) -> str:
    """A value in tables and names: numbers as short as they are exact."""
    if isinstance(value, bool | None):
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, list | tuple):
        return "x".join(map(setting_text, value))
    if isinstance(value, float):
        short = f"{value:g}"
        return short if float(short) == value else repr(value)
    return str(value)


def _as_text(value: Any) -> str:
    return "".join(c if c.isalnum() or c in ".+-" else "-" for c in setting_text(value))


def _require_several_values(path: str, values: Sequence[Any]) -> None:
    if path == SEED:
        raise InputError("`values` must not name training.seed: give `seeds`")
    if isinstance(values, str) or not isinstance(values, Sequence) or not values:
        raise InputError(f"`{path}` must have a list of at least one value; got {values!r}")
    texts = [_as_text(value) for value in values]
    if len(set(texts)) < len(texts):
        raise InputError(f"`{path}` must have each value once; got {', '.join(map(setting_text, values))}")


def _complete(config: RunConfig) -> RunConfig:
    """With a weight for every penalty of the model."""
    weights = config.model.weights(config.objective.weights, reconstruction=config.objective.reconstruction)
    return replace(config, objective=replace(config.objective, weights=weights))
