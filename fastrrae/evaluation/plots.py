"""Pictures of samples, losses and latent spaces, each of which becomes one file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..errors import InputError
from ..training.metrics_log import NOT_PENALTIES
from .figure_style import ACCENT, INK, MUTED, SECOND, house_style, save_figure

MOST_IMAGES, MOST_CURVES, MOST_COLUMNS = 1000, 250, 100  # in one picture; each curve has its own axes, which take time
SHOWN_LABELS = 20  # in a legend; of more, some numbers


def require_drawable(rows: int, columns: int, sample_shape: tuple[int, ...]) -> None:
    """Raise unless this many samples of this shape can be drawn as one picture.

    Raises:
        InputError: there are more than a picture may have; the message says how many.
    """
    most = MOST_IMAGES if is_image(sample_shape) else MOST_CURVES
    if rows * columns > most or columns > MOST_COLUMNS:
        what = "images" if is_image(sample_shape) else "curves"
        raise InputError(
            f"a picture must have at most {most} {what}, and at most {MOST_COLUMNS} in a row; got {rows} x {columns}. "
            f"Draw fewer, or write their values to a .npy file"
        )


def draw_rows(rows: Mapping[str, np.ndarray], path: Path) -> None:
    """Rows of samples (count, *sample_shape) under each other, each row named at its left."""
    columns = max(len(samples) for samples in rows.values())
    limits = _limits(np.concatenate([samples.reshape(-1) for samples in rows.values()]))
    _draw_samples(list(rows.values()), columns, limits, path, names=list(rows))


def draw_grid(samples: np.ndarray, path: Path, *, columns: int = 10) -> None:
    """Samples (count, *sample_shape) as a grid; see `require_drawable` for how many there may be."""
    require_drawable(len(samples), 1, samples.shape[1:])
    lines = [samples[start : start + columns] for start in range(0, len(samples), columns)]
    _draw_samples(lines, columns, _limits(samples), path, names=[])


def draw_losses(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Loss, reconstruction and validation over the steps, and a panel for each penalty that is not zero throughout."""
    steps = [row["step"] for row in rows]
    names = [name for name in (rows[-1] if rows else {}) if name not in NOT_PENALTIES]
    penalties = {name: np.array([row.get(name, np.nan) for row in rows], float) for name in names}
    penalties = {name: values for name, values in penalties.items() if np.any(values != 0)}
    with house_style():
        figure = Figure(figsize=(7.2 + 3.6 * max(len(penalties) - 1, 0), 2.6), layout="constrained")
        panels = figure.subplots(1, 1 + len(penalties), squeeze=False)[0]
        panels[0].plot(steps, [row["loss"] for row in rows], color=SECOND, label="loss")
        panels[0].plot(steps, [row["reconstruction"] for row in rows], color=ACCENT, label="reconstruction")
        validations = [(row["step"], row["validation"]) for row in rows if row.get("validation") is not None]
        if validations:
            panels[0].plot(*zip(*validations, strict=True), "o-", color=INK, markersize=3, label="validation")
        shown = np.array([[row["loss"], row["reconstruction"]] for row in rows], float)
        # The logarithm of a density may be positive, and the loss then negative.
        panels[0].set(xlabel="step", yscale="linear" if np.any(shown <= 0) else "log")
        panels[0].legend(frameon=False)
        for panel, (name, values) in zip(panels[1:], penalties.items(), strict=True):
            panel.plot(steps, values, color=ACCENT)
            panel.set(xlabel="step", ylabel="KL term" if name == "kl" else name.replace("_", " "))
        save_figure(figure, path)


def draw_singular_values(values: np.ndarray, rank: int, path: Path) -> None:
    """Singular values of the training latent matrix, relative to the first; those within the rank stand out."""
    relative = values / max(float(values[0]), np.finfo(float).tiny)
    index = np.arange(1, len(values) + 1)
    with house_style():
        figure = Figure(figsize=(4.6, 2.8), layout="constrained")
        ax = figure.subplots()
        shown = relative > 1e-9
        ax.plot(index[shown], relative[shown], ".", color=MUTED, label="discarded")
        ax.plot(
            index[:rank][shown[:rank]], relative[:rank][shown[:rank]], "o", color=ACCENT, markersize=4, label="kept"
        )
        ax.set(xlabel="index", ylabel="singular value / largest", yscale="log")
        ax.legend(frameon=False)
        save_figure(figure, path)


def draw_coefficients(
    coefficients: np.ndarray, labels: np.ndarray | None, path: Path, *, names: Sequence[str] = ()
) -> None:
    """Scatter of the first two coefficients of the training set, coloured by label where labels are known.

    `names` are those of the labels 0, 1, ..., if they have any.
    """
    x = coefficients[:, 0]
    y = coefficients[:, 1] if coefficients.shape[1] > 1 else np.zeros_like(x)
    with house_style():
        figure = Figure(figsize=(4.6, 3.6), layout="constrained")
        ax = figure.subplots()
        scatter_by_label(ax, x, y, labels, names)
        ax.set(xlabel="first coefficient", ylabel="second coefficient")
        save_figure(figure, path)


def scatter_by_label(
    ax: Axes, x: np.ndarray, y: np.ndarray, labels: np.ndarray | None, names: Sequence[str], *, legend: bool = True
) -> None:
    """Points, coloured by label where labels are known, with a legend at the right."""
    if labels is None:
        ax.scatter(x, y, s=6, color=ACCENT, linewidths=0)
        return
    points = ax.scatter(x, y, s=6, c=labels, cmap="tab10", linewidths=0)
    if not legend:
        return
    present = np.unique(labels)
    handles, numbers = points.legend_elements(num=list(present) if len(present) <= SHOWN_LABELS else "auto")
    few = bool(names) and len(present) <= SHOWN_LABELS
    shown = [str(names[label]) for label in present] if few else [str(number) for number in numbers]
    ax.legend(handles, shown, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))


def draw_over_parameters(
    parameters: np.ndarray, coefficients: np.ndarray, path: Path, *, names: Sequence[str], most: int = 4
) -> None:
    """Coefficients (count, rank) over parameters (count, P), the first `most` of both.

    A row of panels for each pair of parameters, with a panel for each coefficient, which is the colour; with one
    parameter, a row of curves.
    """
    shown = min(most, coefficients.shape[1])
    pairs = [(i, j) for j in range(min(most, len(names))) for i in range(j)]
    with house_style():
        figure = Figure(figsize=(2.6 * shown, 2.3 * max(len(pairs), 1)), layout="constrained")
        axes = figure.subplots(max(len(pairs), 1), shown, squeeze=False)
        for k, ax in enumerate(axes[0]):
            ax.set_title(f"coefficient {k + 1}", fontsize=9)
        if not pairs:
            for k, ax in enumerate(axes[0]):
                ax.scatter(parameters[:, 0], coefficients[:, k], s=6, color=ACCENT, linewidths=0)
                ax.set(xlabel=names[0])
        for row, (i, j) in zip(axes, pairs, strict=False):
            for k, ax in enumerate(row):
                ax.scatter(parameters[:, i], parameters[:, j], s=9, c=coefficients[:, k], linewidths=0)
                ax.set(xlabel=names[i], ylabel=names[j])
        save_figure(figure, path)


def draw_coordinates(deviations: np.ndarray, kl: np.ndarray | None, path: Path) -> None:
    """Bars for each coordinate: how far its means spread over the data, and its KL term where there is one."""
    panels = [("deviation of the means", deviations)] + ([] if kl is None else [("KL term, nats", kl)])
    with house_style():
        figure = Figure(figsize=(3.8 * len(panels), 2.6), layout="constrained")
        for ax, (label, values) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
            ax.bar(np.arange(1, len(values) + 1), values, color=ACCENT, width=0.8)
            ax.set(xlabel="coordinate", ylabel=label)
            ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        save_figure(figure, path)


def is_image(sample_shape: tuple[int, ...]) -> bool:
    """Whether samples of this shape are drawn as images, not as curves."""
    return len(sample_shape) == 3 and sample_shape[-1] in (1, 3)


def _limits(values: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(values, [0.5, 99.5]) if values.size else (0.0, 1.0)
    return float(low), float(max(high, low + 1e-9))


def _draw_samples(
    lines: Sequence[np.ndarray], columns: int, limits: tuple[float, float], path: Path, names: Sequence[str]
) -> None:
    """Lines of samples: images as one mosaic, which is much faster than an axis for each; signals as curves."""
    first = lines[0]
    with house_style():
        margin = 0.3 + 0.085 * max(map(len, names)) if names else 0.0  # inches, for the longest name
        figure = Figure(figsize=(0.85 * columns + margin, 0.85 * len(lines)), layout="constrained")
        if is_image(first.shape[1:]):
            _draw_mosaic(figure.subplots(), lines, columns, limits, names)
        else:
            _draw_curves(figure.subplots(len(lines), columns, squeeze=False), lines, limits, names)
        save_figure(figure, path)


def _draw_mosaic(
    ax: Axes, lines: Sequence[np.ndarray], columns: int, limits: tuple[float, float], names: Sequence[str]
) -> None:
    low, high = limits
    height, width, channels = lines[0].shape[1:]
    gap = max(1, height // 14)
    mosaic = np.ones((len(lines) * (height + gap) - gap, columns * (width + gap) - gap, channels), np.float32)
    for number, line in enumerate(lines):
        for column, sample in enumerate(line):
            top, left = number * (height + gap), column * (width + gap)
            mosaic[top : top + height, left : left + width] = np.clip((sample - low) / (high - low), 0, 1)
    ax.imshow(mosaic[..., 0] if channels == 1 else mosaic, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    ax.spines[:].set_visible(False)
    ax.set_xticks([])
    ax.set_yticks([number * (height + gap) + (height - 1) / 2 for number in range(len(names))], names)
    ax.tick_params(length=0)


def _draw_curves(
    axes: np.ndarray, lines: Sequence[np.ndarray], limits: tuple[float, float], names: Sequence[str]
) -> None:
    low, high = limits
    margin = 0.1 * (high - low)
    for ax in axes.flat:
        ax.axis("off")
    for row, line in zip(axes, lines, strict=True):
        for ax, sample in zip(row, line, strict=False):
            ax.plot(sample.reshape(len(sample), -1), linewidth=0.8)
            ax.set_ylim(low - margin, high + margin)
    for row, name in zip(axes, names, strict=False):
        row[0].text(-0.15, 0.5, name, transform=row[0].transAxes, ha="right", va="center")
