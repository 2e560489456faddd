"""Configurations of earlier versions.

Those of version 0.1 have one section for all models, and penalties weighted by their position. In those of format 2 the
variances of a VRRAE have no bound if nothing is said of it.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from .errors import InputError

_NETWORK = ("network", "encoder_widths", "decoder_widths", "spectral_norm")
_ADAPTIVE_RANK = ("rank_window", "rank_patience", "rank_settle", "rank_tolerance")


def upgrade(values: Mapping[str, Any], models: Mapping[str, type]) -> dict[str, Any]:
    """The sections of such a configuration as this version has them.

    Args:
        values: the JSON values of the file.
        models: the option classes of all models by name.
    """
    try:
        old_model, old_objective = dict(values["model"]), dict(values["objective"])
        training = dict(values["training"])
        kind = models[old_model["model"]]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"it lacks what configurations of version 0.1 have ({error!r})") from None
    network = {name: old_model[name] for name in _NETWORK if name in old_model}
    adaptive = {name: training.pop(name) for name in _ADAPTIVE_RANK if name in training}
    known = {**old_model, **adaptive, **old_objective}
    names = {field.name for field in dataclasses.fields(kind)}
    options = {name: value for name, value in known.items() if name in names and value != "auto"}
    weights = [old_objective.get("beta") or 0.0, old_objective.get("regulariser") or 0.0]
    penalties = kind(**options).penalties()
    objective = {
        "reconstruction": old_objective.get("reconstruction", "relative"),
        "weights": dict(zip(penalties, weights, strict=False)),
    }
    rest = {name: values[name] for name in ("recipe", "data", "sharding", "evaluation") if name in values}
    data = rest.get("data", {})
    if data.get("source") == "array" and data.get("normalise") == "auto":
        rest["data"] = {**data, "normalise": "standard"}  # one scale for all features was the default then
    return {
        **rest,
        "model": _with_free_variances({"name": old_model["model"], **options}),
        "network": network,
        "objective": objective,
        "training": training,
    }


def upgrade_from_2(values: Mapping[str, Any]) -> dict[str, Any]:
    """The sections of a configuration of format 2."""
    model = values.get("model")
    return {**values, "model": _with_free_variances(model)} if isinstance(model, Mapping) else dict(values)


def _with_free_variances(model: Mapping[str, Any]) -> dict[str, Any]:
    free = {"bounded_variance": False} if model.get("name") == "vrrae" else {}
    return {**free, **model}
