"""What a sweep shows: the error over a setting with that of PCA, and errors and FIDs with their Pareto front."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from .figure_style import ACCENT, INK, MUTED, SECOND, colours, house_style, save_figure

MOST_LABELS = 30


class Curve(NamedTuple):
    """Errors over a setting, those of several seeds at the same value."""

    x: Sequence[float]
    error: Sequence[float]


def draw_errors(curves: Mapping[str, Curve], pca: Curve, setting: str, path: Path) -> None:
    """The test error of runs over a setting, their mean as a line, and that of as many principal components.

    Args:
        curves: by what the runs have in common besides this setting; one without a name has no entry in the legend.
        pca: the errors of PCA in the same runs.
        setting: the name of the axis.
        path: the file to write.
    """
    with house_style():
        figure = Figure(figsize=(5.6, 3.6), layout="constrained")
        ax = figure.subplots()
        for (name, curve), colour in zip(curves.items(), colours(len(curves)), strict=True):
            x, mean = mean_curve(curve)
            ax.plot(curve.x, curve.error, "o", color=colour, markersize=3, alpha=0.4, markeredgewidth=0)
            ax.plot(x, mean, "o-", color=colour, markersize=4, label=name or "runs (line: mean over seeds)")
        if pca.x:
            ax.plot(*mean_curve(pca), "s--", color=MUTED, markersize=3, label="PCA of the same rank")
        values = sorted({*pca.x, *(x for curve in curves.values() for x in curve.x)})
        _scale_axis(ax, values)
        ax.set(xlabel=setting, ylabel="test error, %", title=f"Reconstruction error against {setting}")
        ax.set_ylim(bottom=0)
        ax.legend(frameon=False, fontsize=8)
        save_figure(figure, path)


def draw_pareto(points: Mapping[str, tuple[float, float]], runs: Sequence[tuple[float, float]], path: Path) -> None:
    """Test error against FID; settings that no other beats in both are on the Pareto front.

    Args:
        points: (error, FID), means over seeds, by setting.
        runs: the same of every run.
        path: the file to write.
    """
    values = np.array(list(points.values()))
    front = pareto_front(values)
    with house_style():
        figure = Figure(figsize=(5.6, 4.0), layout="constrained")
        ax = figure.subplots()
        if len(runs) > len(points):
            ax.plot(*np.transpose(runs), "o", color=MUTED, markersize=3, markeredgewidth=0, label="single runs")
        ax.plot(*values[front].T, "-", color=SECOND, linewidth=1)
        ax.plot(*values[front].T, "o", color=SECOND, markersize=6, label="Pareto front")
        behind = np.setdiff1d(np.arange(len(values)), front)
        if len(behind):
            ax.plot(*values[behind].T, "o", color=ACCENT, markersize=5, label="other settings")
        labelled = range(len(values)) if len(values) <= MOST_LABELS else front
        names = list(points)
        for i in labelled:
            ax.annotate(
                names[i],
                values[i],
                xytext=(5, 4),
                textcoords="offset points",
                fontsize=7,
                color=INK,
                annotation_clip=True,
            )
        ax.margins(x=0.15, y=0.1)
        ax.set(xlabel="test error, %", ylabel="FID", title="Reconstruction against samples; lower is better in both")
        ax.legend(frameon=False, fontsize=8)
        save_figure(figure, path)


def pareto_front(points: np.ndarray) -> np.ndarray:
    """Indices of the points (count, 2) that no other point dominates, by rising first coordinate.

    A point dominates another if it is at most as large in both coordinates, and smaller in one: smaller is better.
    Equal points do not dominate each other.
    """
    points = np.asarray(points, float)
    order = np.lexsort((points[:, 1], points[:, 0]))
    found: list[int] = []
    for i in order:
        if not found or points[i, 1] < points[found[-1], 1] or np.array_equal(points[i], points[found[-1]]):
            found.append(int(i))
    return np.array(found, int)


def mean_curve(curve: Curve) -> tuple[np.ndarray, np.ndarray]:
    """Values of the setting in order, and the mean error at each."""
    x, inverse = np.unique(np.asarray(curve.x, float), return_inverse=True)
    return x, np.bincount(inverse, curve.error) / np.bincount(inverse)


def _scale_axis(ax: Axes, values: Sequence[float]) -> None:
    """Logarithmic where the values are positive and span most of a decade; a tick at each of a few values."""
    if values and values[0] > 0 and values[-1] >= 8 * values[0]:
        ax.set_xscale("log")
        ax.xaxis.set_minor_locator(NullLocator())
    if len(values) <= 12:
        ax.set_xticks(list(values), [f"{value:g}" for value in values])
