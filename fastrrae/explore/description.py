"""What the page of the explorer needs once: the run, the ranges of its coefficients, and how samples are drawn."""

from typing import Any

import numpy as np

from ..atomic_files import finite
from ..errors import InputError
from ..evaluation.results import load_evaluation
from ..run import Run
from .explorer import Explorer

POINTS = 3000  # training samples in the scatter; more are drawn over each other
LOOKED_AT = 1000  # samples by which the range of values is found
CLASSES = 50  # most classes with a colour and a line in the legend


def describe(explorer: Explorer) -> dict[str, Any]:
    """Facts, coefficients, points of the scatter and their colours, and how to draw a sample, for JSON."""
    run = explorer.run
    points = scatter_points(run)
    return {
        "name": run.folder.root.resolve().name,
        "facts": _facts(run),
        "rank": run.rank,
        "shape": list(run.sample_shape),
        "coefficients": _coefficients(run),
        "points": points.tolist(),
        "colourings": _colourings(explorer, points),
        "drawing": _drawing(explorer),
        "examples": [explorer.label_of("test", index) for index in range(len(run.examples))],
        "neighbours": explorer.neighbours_are,
    }


def scatter_points(run: Run) -> np.ndarray:
    """Indices of the training samples that the scatter shows: all, or as many as it can, drawn at random by a seed."""
    count = len(run.training_coefficients)
    chosen = np.random.default_rng(0).permutation(count)[:POINTS]
    return np.sort(chosen)


def _facts(run: Run) -> list[list[str]]:
    facts = [
        ["model", run.name.upper()],
        ["rank", str(run.rank)],
        ["sample shape", " x ".join(map(str, run.sample_shape))],
        ["training samples", f"{len(run.training_coefficients):,}"],
    ]
    try:
        error = load_evaluation(run.folder.evaluation).reconstruction_error
    except (InputError, OSError):  # not evaluated, or by an earlier version
        return facts
    return [*facts, ["test error", f"{error:.2f} %"]]


def _coefficients(run: Run) -> list[dict[str, float]]:
    """The range of each slider: that of the training set and a little more; and where the page starts."""
    low, high = run.training_coefficients.min(axis=0), run.training_coefficients.max(axis=0)
    margin = np.maximum(0.05 * (high - low), 1e-6 * np.maximum(np.abs(high), 1))
    columns = zip(low - margin, high + margin, run.mean_coefficients, strict=True)
    return [{"low": float(low), "high": float(high), "mean": float(mean)} for low, high, mean in columns]


def _colourings(explorer: Explorer, points: np.ndarray) -> list[dict[str, Any]]:
    """What the points of the scatter can be coloured by: classes, then parameters; values in the points' order."""
    run, found = explorer.run, []
    if run.training_labels is not None:
        present, classes = np.unique(run.training_labels, return_inverse=True)
        if len(present) <= CLASSES:
            names = [run.label_names[label] if run.label_names else str(label) for label in present]
            found.append({"name": "label", "kind": "classes", "names": names, "values": classes[points].tolist()})
    dataset = explorer.dataset
    parameters = None if dataset is None else dataset.parameters.get("train")
    if dataset is not None and parameters is not None:
        names = dataset.parameter_names or [f"parameter {number}" for number in range(parameters.shape[1])]
        for name, values in zip(names, parameters[points].T, strict=True):
            found.append({"name": name, "kind": "numbers", "values": finite(values.tolist())})
    return found


def _drawing(explorer: Explorer) -> dict[str, Any]:
    """Kind of picture, and the range of values in it; for vectors scaled by feature, the scaling."""
    run, dataset = explorer.run, explorer.dataset
    looked_at = np.asarray(run.examples if dataset is None else dataset.train[:LOOKED_AT], np.float64)
    drawing = {"kind": ("vector", "signal", "image")[len(run.sample_shape) - 1], "limits": _limits(looked_at)}
    if drawing["kind"] == "image":
        drawing["colours"] = _colours(run, *drawing["limits"])
    offset, scale = (np.asarray(values, np.float64) for values in (run.normalisation.offset, run.normalisation.scale))
    if drawing["kind"] == "vector" and scale.ndim:
        scaled = {
            "offset": offset.tolist(),
            "scale": scale.tolist(),
            "limits": _limits((looked_at - offset) / scale),
        }
        return drawing | {"scaled": scaled}
    return drawing


def _colours(run: Run, low: float, high: float) -> str:
    """How one channel is coloured at first: a user's own array is a field more often than a photograph."""
    if run.config.data.source not in ("array", "own"):
        return "grey"
    has_both_signs = min(-low, high) > 0.25 * max(-low, high)
    return "diverging" if has_both_signs else "viridis"


def _limits(values: np.ndarray) -> list[float]:
    """Least and greatest value of a picture, without the few that would take the contrast from all others."""
    low, high = np.percentile(values, [0.5, 99.5])
    return [float(low), float(max(high, low + 1e-9))]
