"""The pictures of a run, drawn from what it keeps, the data set and its evaluation."""

from pathlib import Path

import numpy as np

from ..data import Dataset
from ..errors import InputError
from ..interpolation import distant_pairs
from ..run import Run
from ..training.metrics_log import read_metrics
from . import plots
from .embedding_plot import draw_embedding
from .html_page import PictureSection
from .interpolated_samples import interpolate_pairs
from .means_plot import DIAGONAL, draw_means
from .protocol import Protocol
from .results import LatentMetrics
from .sample_plots import NEIGHBOURS, SEARCHED, draw_components, draw_neighbours

SHOWN = 10  # samples in a row of a picture
SAMPLES = 50
PATHS = 5
OF_SAMPLES = ("reconstructions", "samples", "interpolations", "neighbours", "components")  # pictures of samples
EMBEDDED = 300  # test samples in the plane


def draw_interpolations(run: Run, path: Path, *, paths: int = PATHS, steps: int = SHOWN) -> None:
    """Straight paths in the space of coefficients between pairs of test samples that are far from each other.

    Args:
        run: a finished run.
        path: the file to write.
        paths: how many pairs, of which a run has half as many as it keeps test samples.
        steps: points on each path, ends included.
    """
    if paths < 1 or steps < 2:
        raise InputError(f"`paths` must be at least 1 and `steps` at least 2; got {paths} and {steps}")
    plots.require_drawable(paths, steps, run.sample_shape)
    pairs = distant_pairs(run.coefficients(run.examples), paths)
    plots.draw_rows(interpolate_pairs(run, pairs, steps), path)


def draw_run(run: Run, dataset: Dataset, latent: LatentMetrics, protocol: Protocol) -> list[PictureSection]:
    """Draw all pictures that apply into the run's `figures/`.

    Where the protocol draws no samples, data and codes are put into the plane by PCA instead of t-SNE, which is slow.
    """
    folder = run.folder.figures
    folder.mkdir(exist_ok=True)
    captions = _captions(run, dataset, latent)
    if run.codec is None:
        _draw_samples(run, dataset, folder)
    else:  # strings are shown as text
        captions = {name: caption for name, caption in captions.items() if name not in OF_SAMPLES}
    labels = dataset.labels.get("train")
    plots.draw_coefficients(run.training_coefficients, labels, folder / "coefficients.png", names=dataset.label_names)
    kl = None if latent.kl_per_dimension is None else np.array(latent.kl_per_dimension)
    plots.draw_coordinates(np.array(latent.deviation_of_means), kl, folder / "coordinates.png")
    plots.draw_singular_values(run.singular_values, latent.rank, folder / "singular_values.png")
    plots.draw_losses(read_metrics(run.folder.metrics), folder / "losses.png")
    captions |= _draw_where_it_applies(run, dataset, protocol)
    return [PictureSection(title, folder / f"{name}.png", caption) for name, (title, caption) in captions.items()]


def _draw_samples(run: Run, dataset: Dataset, folder: Path) -> None:
    shown, samples = run.examples[:SHOWN], run.sample(SAMPLES)
    plots.draw_rows({"input": shown, "output": run.reconstruct(shown)}, folder / "reconstructions.png")
    plots.draw_grid(samples, folder / "samples.png")
    draw_interpolations(run, folder / "interpolations.png")
    draw_neighbours(samples[:SHOWN], dataset, folder / "neighbours.png")
    draw_components(run, folder / "components.png")


def _draw_where_it_applies(run: Run, dataset: Dataset, protocol: Protocol) -> dict[str, tuple[str, str]]:
    """Pictures of data with labels, and of data that moves along a diagonal; title and caption of those drawn."""
    captions = {}
    if next(iter(dataset.tests)) in dataset.labels:
        method = "t-sne" if protocol.samples else "pca"
        draw_embedding(run, dataset, run.folder.figures / "embedding.png", method=method, points=EMBEDDED)
        captions["embedding"] = (
            "Data and codes in the plane",
            f"{min(EMBEDDED, len(dataset.test))} test samples and their coefficients, each by "
            f"{'t-SNE' if protocol.samples else 'its first two principal components'}, coloured by label.",
        )
    if DIAGONAL in dataset.tests and run.rank > 1:
        draw_means({run.name: run}, dataset, run.folder.figures / "means.png")
        captions["means"] = (
            "Latent means",
            "The second coordinate against the first, of test samples; red: bumps that move along the diagonal.",
        )
    return captions


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
            f"Random samples, and under each its {NEIGHBOURS} nearest of {min(SEARCHED, len(dataset.train))} training "
            "samples. A model that repeats its training set has the same pictures in the first two rows.",
        ),
        "components": (
            "Samples by component",
            "A row for each component of the mixture, with its weight: its mean, then draws from it alone, decoded.",
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
