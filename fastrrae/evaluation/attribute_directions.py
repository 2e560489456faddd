"""Directions in the space of coefficients along which an attribute of the samples changes."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..data import Dataset
from ..errors import InputError
from ..run import Run
from . import plots

STEPS, REACH = 7, 2.0  # samples in a strip, whose ends are this many differences of means away


def attribute_directions(
    coefficients: np.ndarray, attributes: Mapping[str, np.ndarray], *, orthogonal: bool = False
) -> dict[str, np.ndarray]:
    """The mean coefficients of the samples with each attribute, less those of the samples without it, (rank,).

    Args:
        coefficients: coefficients of the training set, (count, rank).
        attributes: by name, true or false for each sample, (count,).
        orthogonal: take out of each direction what the others explain, so that moving along it changes them least.

    Raises:
        InputError: all samples or none have an attribute.
    """
    directions = {}
    for name, values in attributes.items():
        has = np.asarray(values, bool)
        if has.all() or not has.any():
            raise InputError(f"the attribute {name} has no direction: {'all' if has.all() else 'no'} samples have it")
        directions[name] = coefficients[has].mean(axis=0) - coefficients[~has].mean(axis=0)
    if not orthogonal:
        return directions
    return {name: direction - _explained(direction, name, directions) for name, direction in directions.items()}


def _explained(direction: np.ndarray, name: str, directions: Mapping[str, np.ndarray]) -> np.ndarray:
    """The part of a direction that lies in the span of the others."""
    others = np.array([other for key, other in directions.items() if key != name]).reshape(-1, len(direction)).T
    return others @ np.linalg.lstsq(others, direction, rcond=None)[0]


def draw_attributes(
    run: Run, dataset: Dataset, names: Sequence[str], path: Path, *, samples: int = 3, orthogonal: bool = False
) -> None:
    """Strips of pictures: test samples moved along the direction of each attribute, from less of it to more.

    Raises:
        InputError: the data has no such attributes, or is not that of the run.
    """
    run.folder.require_same_data(dataset)
    known = dataset.attributes.get("train", {})
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        listed = ", ".join(sorted(known)) or "none"
        raise InputError(f"`names` must be attributes of the training set ({listed}); got {', '.join(names) or 'none'}")
    if samples < 1 or samples > len(run.examples):
        raise InputError(f"`samples` must be from 1 to {len(run.examples)}; got {samples}")
    plots.require_drawable(samples * len(names), STEPS, run.sample_shape)
    chosen = {name: known[name] for name in names}
    directions = attribute_directions(run.training_coefficients, chosen, orthogonal=orthogonal)
    weights = np.linspace(-REACH, REACH, STEPS)[:, None]
    rows = {}
    for number, code in enumerate(run.coefficients(run.examples[:samples]), start=1):
        for name, direction in directions.items():
            rows[f"{name} {number}"] = run.decode(code + weights * direction)
    plots.draw_rows(rows, path)
