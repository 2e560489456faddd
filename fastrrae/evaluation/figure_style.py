"""How all pictures look, and how they become files."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from ..atomic_files import replacing

FILE_TYPES = (".png", ".svg", ".pdf")
INK, ACCENT, SECOND, MUTED = "#1f2933", "#0b6e99", "#c8553d", "#9aa5b1"

_STYLE: dict[Any, Any] = {
    "figure.dpi": 150,
    "savefig.dpi": 150,
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlesize": 9,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "lines.linewidth": 1.4,
    "svg.hashsalt": "fastrrae",  # the same picture gives the same file
}


@contextmanager
def house_style() -> Iterator[None]:
    """Pictures that are made and saved in this block have the style of all."""
    with mpl.rc_context(_STYLE):
        yield


def save_figure(figure: Figure, path: Path) -> None:
    """Write a picture as the type that the name of the file ends in: one of `FILE_TYPES`."""
    kind = path.suffix[1:]
    undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind)
    with replacing(path) as file:
        figure.savefig(file, format=kind, metadata=undated)


def colours(count: int) -> list[Any]:
    """As many colours, for a series in an order: from dark to light, or two that are told apart."""
    if count <= 2:
        return [ACCENT, SECOND][:count]
    return [mpl.colormaps["viridis"](0.9 * number / (count - 1)) for number in range(count)]
