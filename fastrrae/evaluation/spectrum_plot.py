"""Latent singular values of several runs in one picture (VRRAE paper, appendix A.2: over the weight of the KL term)."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from ..run import Run
from .figure_style import MUTED, colours, house_style, save_figure

SMALLEST = 1e-7  # of the largest value, below which float32 says nothing


def draw_spectra(runs: Mapping[str, Run], path: Path) -> None:
    """Singular values of each run's training latent matrix, before its rank is reduced; those kept are filled.

    They are divided by the square root of the number of samples, so that each is the root mean square of the latent
    vectors along one direction, and runs on other numbers of samples compare.

    Args:
        runs: by what each is called in the legend.
        path: the file to write.
    """
    with house_style():
        figure = Figure(figsize=(5.6, 3.4), layout="constrained")
        ax = figure.subplots()
        top, bottom = 0.0, np.inf
        for (name, run), colour in zip(runs.items(), colours(len(runs)), strict=True):
            values = run.singular_values / np.sqrt(len(run.training_coefficients))
            values = values[values > SMALLEST * values.max(initial=0)]
            index, kept = np.arange(1, len(values) + 1), min(run.rank, len(values))
            ax.plot(index, values, color=colour, linewidth=0.8, alpha=0.6)
            ax.plot(index[kept:], values[kept:], "o", color=colour, markersize=3, markerfacecolor="white")
            ax.plot(index[:kept], values[:kept], "o", color=colour, markersize=4, label=name)
            top, bottom = max(top, values.max(initial=0)), min(bottom, values.min(initial=np.inf))
        ranks = {run.rank for run in runs.values()}
        if len(ranks) == 1:
            ax.axvline(ranks.pop() + 0.5, color=MUTED, linewidth=0.8, linestyle=":")
        if np.isfinite(bottom) and top > 10 * bottom:
            ax.set_yscale("log")
        ax.set(
            xlabel="index (filled: kept by the bottleneck)",
            ylabel="singular value / $\\sqrt{N}$",
            title="Latent singular values of the training set",
        )
        ax.legend(frameon=False, fontsize=8)
        save_figure(figure, path)
