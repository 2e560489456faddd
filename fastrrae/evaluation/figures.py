"""The pictures of a run. Each function draws one and writes it as PNG."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, ACCENT, SECOND, MUTED = "#1f2933", "#0b6e99", "#c8553d", "#9aa5b1"

_STYLE: dict[Any, Any] = {
    "figure.dpi": 150,
    "savefig.dpi": 150,
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "lines.linewidth": 1.4,
}


def draw_rows(rows: Mapping[str, np.ndarray], path: Path) -> None:
    """Rows of samples (count, *sample_shape) under each other, each row named at its left."""
    counts = max(len(samples) for samples in rows.values())
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(0.9 * counts + 1.1, 0.95 * len(rows)), layout="constrained")
        axes = figure.subplots(len(rows), counts, squeeze=False)
        limits = _limits(np.concatenate([samples.reshape(-1) for samples in rows.values()]))
        for row, (name, samples) in zip(axes, rows.items(), strict=True):
            for ax in row:
                ax.axis("off")
            for ax, sample in zip(row, samples, strict=False):
                _draw_sample(ax, sample, limits)
            row[0].text(-0.15, 0.5, name, transform=row[0].transAxes, ha="right", va="center")
        figure.savefig(path)


def draw_grid(samples: np.ndarray, path: Path, *, columns: int = 10) -> None:
    """Samples (count, *sample_shape) as a grid."""
    lines = -(-len(samples) // columns)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(0.85 * columns, 0.85 * lines), layout="constrained")
        axes = figure.subplots(lines, columns, squeeze=False)
        limits = _limits(samples)
        for ax in axes.flat:
            ax.axis("off")
        for ax, sample in zip(axes.flat, samples, strict=False):
            _draw_sample(ax, sample, limits)
        figure.savefig(path)


def draw_losses(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Loss and reconstruction over the steps, and the KL term where there is one."""
    steps = [row["step"] for row in rows]
    kl = np.array([row["kl"] for row in rows])
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(7.2, 2.6), layout="constrained")
        panels = figure.subplots(1, 2 if np.any(kl != 0) else 1, squeeze=False)[0]
        panels[0].plot(steps, [row["loss"] for row in rows], color=SECOND, label="loss")
        panels[0].plot(steps, [row["reconstruction"] for row in rows], color=ACCENT, label="reconstruction")
        panels[0].set(xlabel="step", yscale="log")
        panels[0].legend(frameon=False)
        if len(panels) > 1:
            panels[1].plot(steps, kl, color=ACCENT)
            panels[1].set(xlabel="step", ylabel="KL term")
        figure.savefig(path)


def draw_singular_values(values: np.ndarray, rank: int, path: Path) -> None:
    """Singular values of the training latent matrix, relative to the first; those within the rank stand out."""
    relative = values / max(float(values[0]), np.finfo(float).tiny)
    index = np.arange(1, len(values) + 1)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(4.6, 2.8), layout="constrained")
        ax = figure.subplots()
        shown = relative > 1e-9
        ax.plot(index[shown], relative[shown], ".", color=MUTED, label="discarded")
        ax.plot(
            index[:rank][shown[:rank]], relative[:rank][shown[:rank]], "o", color=ACCENT, markersize=4, label="kept"
        )
        ax.set(xlabel="index", ylabel="singular value / largest", yscale="log")
        ax.legend(frameon=False)
        figure.savefig(path)


def draw_coefficients(coefficients: np.ndarray, labels: np.ndarray | None, path: Path) -> None:
    """Scatter of the first two coefficients of the training set, coloured by label where labels are known."""
    x = coefficients[:, 0]
    y = coefficients[:, 1] if coefficients.shape[1] > 1 else np.zeros_like(x)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(4.6, 3.6), layout="constrained")
        ax = figure.subplots()
        if labels is None:
            ax.scatter(x, y, s=6, color=ACCENT, linewidths=0)
        else:
            points = ax.scatter(x, y, s=6, c=labels, cmap="tab10", linewidths=0)
            handles, names = points.legend_elements()
            ax.legend(handles, names, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
        ax.set(xlabel="first coefficient", ylabel="second coefficient")
        figure.savefig(path)


def draw_use_of_coordinates(deviations: np.ndarray, kl: np.ndarray | None, path: Path) -> None:
    """Bars for each coordinate: how far its means spread over the data, and its KL term where there is one."""
    panels = [("deviation of the means", deviations)] + ([] if kl is None else [("KL term, nats", kl)])
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(3.8 * len(panels), 2.6), layout="constrained")
        for ax, (label, values) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
            ax.bar(np.arange(1, len(values) + 1), values, color=ACCENT, width=0.8)
            ax.set(xlabel="coordinate", ylabel=label)
        figure.savefig(path)


def _limits(values: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(values, [0.5, 99.5]) if values.size else (0.0, 1.0)
    return float(low), float(max(high, low + 1e-9))


def _draw_sample(ax: Axes, sample: np.ndarray, limits: tuple[float, float]) -> None:
    """An image as an image, a signal or vector as curves."""
    low, high = limits
    if sample.ndim == 3 and sample.shape[-1] in (1, 3):
        scaled = np.clip((sample - low) / (high - low), 0, 1)
        ax.imshow(scaled[..., 0] if sample.shape[-1] == 1 else scaled, cmap="gray", vmin=0, vmax=1)
        return
    curves = sample.reshape(len(sample), -1)
    margin = 0.1 * (high - low)
    ax.plot(curves, linewidth=0.8)
    ax.set_ylim(low - margin, high + margin)
