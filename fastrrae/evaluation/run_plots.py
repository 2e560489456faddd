"""The pictures of a run, drawn from what it keeps, the data set and its evaluation."""

from pathlib import Path

import numpy as np

from ..data import Dataset
from ..errors import InputError
from ..interpolation import distant_pairs
from ..metrics import nearest
from ..run import Run
from ..training.metrics_log import read_metrics
from . import plots
from .generated_samples import blocks
from .html_page import PictureSection
from .interpolated_samples import interpolate_pairs
from .results import LatentMetrics

SHOWN = 10  # samples in a row of a picture
SAMPLES = 50
PATHS = 5
SEARCHED = 20_000  # training samples among which neighbours are looked for


def draw_interpolations(run: Run, path: Path, *, paths: int = PATHS, steps: int = SHOWN) -> None:
    """Straight paths in the space of coefficients between pairs of test samples that are far from each other.

    Args:
        run: a finished run.
        path: the PNG file to write.
        paths: how many pairs, of which a run has half as many as it keeps test samples.
        steps: points on each path, ends included.
    """
    if paths < 1 or steps < 2:
        raise InputError(f"`paths` must be at least 1 and `steps` at least 2; got {paths} and {steps}")
    plots.require_drawable(paths, steps, run.sample_shape)
    pairs = distant_pairs(run.coefficients(run.examples), paths)
    plots.draw_rows(interpolate_pairs(run, pairs, steps), path)


def draw_run(run: Run, dataset: Dataset, latent: LatentMetrics) -> list[PictureSection]:
    """Draw all pictures into the run's `figures/`."""
    folder = run.folder.figures
    folder.mkdir(exist_ok=True)
    shown, samples = run.examples[:SHOWN], run.sample(SAMPLES)
    plots.draw_rows({"input": shown, "output": run.reconstruct(shown)}, folder / "reconstructions.png")
    plots.draw_grid(samples, folder / "samples.png")
    draw_interpolations(run, folder / "interpolations.png")
    _draw_neighbours(samples[:SHOWN], dataset, folder / "neighbours.png")
    labels = dataset.labels.get("train")
    plots.draw_coefficients(run.training_coefficients, labels, folder / "coefficients.png", names=dataset.label_names)
    kl = None if latent.kl_per_dimension is None else np.array(latent.kl_per_dimension)
    plots.draw_coordinates(np.array(latent.deviation_of_means), kl, folder / "coordinates.png")
    plots.draw_singular_values(run.singular_values, latent.rank, folder / "singular_values.png")
    plots.draw_losses(read_metrics(run.folder.metrics), folder / "losses.png")
    captions = _captions(run, dataset, latent)
    return [PictureSection(title, folder / f"{name}.png", caption) for name, (title, caption) in captions.items()]


def _captions(run: Run, dataset: Dataset, latent: LatentMetrics) -> dict[str, tuple[str, str]]:
    """Title and caption of each picture by the name of its file, in the order of the report."""
    return {
        "reconstructions": ("Reconstructions", "Test samples, and their reconstructions."),
        "samples": (
            "Random samples",
            f"Decoded draws from a Gaussian mixture ({len(run.density.weights)} components) fitted on the training "
            "coefficients.",
        ),
        "neighbours": (
            "Nearest training samples",
            f"Random samples, and for each the nearest of {min(SEARCHED, len(dataset.train))} training samples.",
        ),
        "interpolations": (
            "Interpolations",
            "Straight lines between the coefficients of two test samples that are far from each other.",
        ),
        "coefficients": ("Coefficients", "The first two coefficients of every training sample."),
        "coordinates": (
            "Use of the coordinates",
            "Over the training set. A coordinate whose means hardly vary, or whose KL term is nearly zero, has "
            "collapsed: it holds no information about the sample.",
        ),
        "singular_values": (
            "Latent singular values",
            f"Of the latent matrix of the whole training set, before its rank is reduced to {latent.rank}.",
        ),
        "losses": ("Training", "Each logged step is one batch."),
    }


def _draw_neighbours(samples: np.ndarray, dataset: Dataset, path: Path) -> None:
    searched = blocks(dataset.train, min(SEARCHED, len(dataset.train)))
    index, _ = nearest(samples, searched)
    plots.draw_rows({"sample": samples, "nearest": np.asarray(dataset.train[index])}, path)
