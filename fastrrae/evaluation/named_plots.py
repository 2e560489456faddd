"""Pictures that stand alone, by name: what `fastrrae plot` draws."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from ..data import Dataset, load_dataset
from ..errors import InputError
from ..run import Run, load_run
from . import plots
from .embedding_plot import MOST_POINTS, EmbeddingMethod, draw_embedding
from .figure_style import FILE_TYPES
from .means_plot import draw_means
from .run_settings import names_of_runs
from .sample_plots import NEIGHBOURS, draw_components, draw_neighbours
from .spectrum_plot import draw_spectra

PlotName = Literal["spectrum", "means", "embedding", "neighbours", "components"]
_OF_SEVERAL_RUNS = ("spectrum", "means")
_OF_SAMPLES = ("neighbours", "components")
_NEED_DATA = ("means", "embedding", "neighbours")


@dataclass(frozen=True)
class PlotOptions:
    """Options of some of the pictures."""

    method: EmbeddingMethod = "t-sne"
    """embedding: t-SNE, or the first two principal components (pca)."""
    points: int = 1000
    """embedding: how many test samples, at most 1000."""
    count: int = 10
    """neighbours: how many samples. components: how many of each."""
    seed: int = 0
    """embedding and neighbours: the same seed gives the same picture."""


def plot(
    name: PlotName,
    runs: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    dataset: Dataset | None = None,
    options: PlotOptions | None = None,
) -> Path:
    """Draw one picture of finished runs.

    Args:
        name: `spectrum`, the latent singular values of all runs in one picture; `means`, a panel for each run with the
            first two latent means of test samples, and with the diagonal motion of the gaussians in red; `embedding`,
            test samples and codes in the plane; `neighbours`, generated samples with their four nearest training
            samples; `components`, samples by component of the mixture. The last three are of one run.
        runs: run folders, named in the picture by the settings that they differ in.
        out: the file to write; .png, .svg or .pdf.
        dataset: the data of the runs; by default loaded as the configuration of the first says.
        options: see `PlotOptions`.

    Raises:
        InputError: there is no such picture, a run has not finished, the data is not that of all runs, or the picture
            has too many samples.

    Example:
        >>> plot("spectrum", ["runs/beta=1e-4", "runs/beta=1e-2"], "spectrum.svg")
    """
    out, options = Path(out), options or PlotOptions()
    paths = [runs] if isinstance(runs, str | Path) else list(runs)
    _require_possible(name, paths, out)
    _require_options(options)
    loaded = [load_run(path) for path in paths]
    if name in _OF_SAMPLES and loaded[0].codec is not None:
        raise InputError(f"`name` must be a plot of no samples, for a run on strings; got {name}")
    data = _data_of(loaded, dataset) if name in _NEED_DATA else None
    _DRAW[name](dict(zip(names_of_runs(loaded), loaded, strict=True)), data, out, options)
    return out


def _require_possible(name: str, paths: Sequence[str | Path], out: Path) -> None:
    """Before anything is loaded."""
    if name not in get_args(PlotName):
        raise InputError(f"`name` must be one of {', '.join(get_args(PlotName))}; got {name!r}")
    if not paths or (len(paths) > 1 and name not in _OF_SEVERAL_RUNS):
        raise InputError(f"`runs` must be one run for the plot {name}; got {len(paths)}")
    if len({Path(path).resolve() for path in paths}) < len(paths):
        raise InputError("`runs` must be different runs; one is named twice")
    if out.suffix not in FILE_TYPES:
        raise InputError(f"`out` must end in {' or '.join(FILE_TYPES)}; got {out}")
    if not out.parent.is_dir():
        raise InputError(f"`out` is in the folder {out.parent}, which does not exist")


def _require_options(options: PlotOptions) -> None:
    if not 2 <= options.points <= MOST_POINTS:
        raise InputError(f"`points` must be from 2 to {MOST_POINTS}; got {options.points}")
    if options.count < 1:
        raise InputError(f"`count` must be at least 1; got {options.count}")
    if options.seed < 0:
        raise InputError(f"`seed` must not be negative; got {options.seed}")


def _data_of(runs: Sequence[Run], dataset: Dataset | None) -> Dataset:
    if dataset is None:
        data = runs[0].config.data
        if data.source == "own":
            raise InputError(
                f"`dataset` must be given: the data of the run in {runs[0].folder.root} was handed over in Python"
            )
        dataset = load_dataset(data)
    for run in runs:
        run.folder.require_same_data(dataset)
    return dataset


_Draw = Callable[[Mapping[str, Run], Any, Path, PlotOptions], None]  # the data is None where none is needed


def _embedding(runs: Mapping[str, Run], dataset: Dataset, out: Path, options: PlotOptions) -> None:
    (run,) = runs.values()
    draw_embedding(run, dataset, out, method=options.method, points=options.points, seed=options.seed)


def _neighbours(runs: Mapping[str, Run], dataset: Dataset, out: Path, options: PlotOptions) -> None:
    (run,) = runs.values()
    plots.require_drawable(1 + NEIGHBOURS, options.count, run.sample_shape)
    draw_neighbours(run.sample(options.count, seed=options.seed), dataset, out)


def _components(runs: Mapping[str, Run], dataset: None, out: Path, options: PlotOptions) -> None:
    (run,) = runs.values()
    plots.require_drawable(len(run.density.weights), options.count, run.sample_shape)
    draw_components(run, out, columns=options.count)


_DRAW: dict[str, _Draw] = {
    "spectrum": lambda runs, dataset, out, options: draw_spectra(runs, out),
    "means": lambda runs, dataset, out, options: draw_means(runs, dataset, out),
    "embedding": _embedding,
    "neighbours": _neighbours,
    "components": _components,
}
