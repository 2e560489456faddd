"""Results over the weight of a term, a panel for each rank: where models collapse, and what it costs."""

from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

from .figure_style import colours, house_style, save_figure
from .sweep_plots import Curve, mean_curve

Panels = Mapping[str, Mapping[str, Mapping[str, Curve]]]


def draw_panels(panels: Panels, setting: str, path: Path) -> None:
    """Curves in a grid of panels: a dot for each run, a line through the means over seeds.

    Args:
        panels: curves by row of the grid (what is measured), column of the grid, and name in the legend.
        setting: the name of the horizontal axis, which is logarithmic.
        path: the file to write.
    """
    columns = list(dict.fromkeys(name for row in panels.values() for name in row))
    with house_style():
        figure = Figure(figsize=(2.2 * len(columns) + 0.8, 2.2 * len(panels) + 0.4), layout="constrained")
        axes = figure.subplots(len(panels), len(columns), squeeze=False, sharex=True, sharey="row")
        for (measured, row), line in zip(panels.items(), axes, strict=True):
            for name, ax in zip(columns, line, strict=True):
                for (model, curve), colour in zip(row.get(name, {}).items(), colours(2), strict=False):
                    ax.plot(curve.x, curve.error, "o", color=colour, markersize=3, alpha=0.4, markeredgewidth=0)
                    ax.plot(*mean_curve(curve), color=colour, label=model)
                ax.set_xscale("log")
            line[0].set_ylabel(measured)
        for name, ax, below in zip(columns, axes[0], axes[-1], strict=True):
            ax.set_title(name)
            below.set_xlabel(setting)
        axes[0, 0].legend(frameon=False, fontsize=8)
        save_figure(figure, path)
