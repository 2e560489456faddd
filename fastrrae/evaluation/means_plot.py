"""The second latent mean against the first, with samples that move along a diagonal in red (VRRAE paper, figure 2)."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..data import Dataset
from ..errors import InputError
from ..models.inference import infer
from ..run import Run
from . import plots
from .figure_style import MUTED, house_style, save_figure

DIAGONAL = "diagonal"  # the test set of the gaussians whose bumps lie on the diagonal of the image
MOST_POINTS = 1000
RED = "#d62728"


def draw_means(runs: Mapping[str, Run], dataset: Dataset, path: Path) -> None:
    """A panel for each run: the first two coordinates of the latent means of test samples.

    Where the data has a test set whose samples move along a diagonal (the gaussians), it is red, and the other samples
    grey: a latent space that keeps the structure of the data shows a smooth curve, one that has collapsed a flat one.
    Of other data, samples are coloured by label where labels are known.

    Raises:
        InputError: a run has one coefficient for each sample.
    """
    for run in runs.values():
        if run.rank < 2:
            raise InputError(f"the run in {run.folder.root} has one latent coordinate, and this picture shows two")
    with house_style():
        figure = Figure(figsize=(3.6 * len(runs) + 0.6, 3.4), layout="constrained")
        panels = figure.subplots(1, len(runs), squeeze=False)[0]
        for number, (ax, (name, run)) in enumerate(zip(panels, runs.items(), strict=True)):
            _draw_panel(ax, run, dataset, legend=number == len(runs) - 1)
            ax.set(title=name, xlabel="first latent mean", ylabel="second latent mean")
        save_figure(figure, path)


def _draw_panel(ax: Axes, run: Run, dataset: Dataset, *, legend: bool) -> None:
    main = next(iter(dataset.tests))
    x, y = _means(run, dataset, main).T
    if DIAGONAL not in dataset.tests:
        labels = dataset.labels.get(main)
        labels = None if labels is None else labels[:MOST_POINTS]
        plots.scatter_by_label(ax, x, y, labels, dataset.label_names, legend=legend)
        return
    ax.scatter(x, y, s=6, color=MUTED, linewidths=0, label="test samples")
    ax.scatter(*_means(run, dataset, DIAGONAL).T, s=6, color=RED, linewidths=0, label="diagonal motion")
    if legend:
        ax.legend(frameon=False, fontsize=8)


def _means(run: Run, dataset: Dataset, split: str) -> np.ndarray:
    """The first two latent means of the first test samples, (count, 2)."""
    samples = dataset.tests[split]
    chosen = samples[: min(MOST_POINTS, len(samples))]
    return infer(run.model, "coefficients", chosen, prepare=run.normalisation.apply)[:, :2]
