"""The pictures of a run: drawn from what it keeps, the data set and its evaluation."""

from pathlib import Path
from typing import Any

import numpy as np

from ..data import Dataset
from ..data.pipeline import INFERENCE_BATCH
from ..run import Run
from ..training.metrics import read_metrics
from . import figures
from .interpolation import distant_pairs, interpolate
from .metrics import nearest
from .page import Picture

SHOWN = 10  # samples in a row of a picture
SAMPLES = 50
WAYS = 5
SEARCHED = 20_000  # training samples among which neighbours are looked for


def draw_interpolations(run: Run, path: Path, *, ways: int = WAYS, steps: int = SHOWN) -> None:
    """Straight ways in the space of coefficients between pairs of test samples that are far from each other."""
    coefficients = run.coefficients(run.examples)
    rows = {}
    for number, (i, j) in enumerate(distant_pairs(coefficients, ways), start=1):
        rows[f"{number}"] = run.decode(interpolate(coefficients[i], coefficients[j], steps))
    figures.draw_rows(rows, path)


def draw_pictures(run: Run, dataset: Dataset, latent: dict[str, Any]) -> list[Picture]:
    """Draw all into the run's `figures/`; `latent` is that part of `evaluation.json`."""
    folder = run.folder.figures
    folder.mkdir(exist_ok=True)
    rank = run.config.model.rank
    shown, samples = run.examples[:SHOWN], run.sample(SAMPLES)
    figures.draw_rows({"input": shown, "output": run.reconstruct(shown)}, folder / "reconstructions.png")
    figures.draw_grid(samples, folder / "samples.png")
    draw_interpolations(run, folder / "interpolations.png")
    _draw_neighbours(samples[:SHOWN], dataset, folder / "neighbours.png")
    figures.draw_coefficients(run.training_coefficients, run.training_labels, folder / "coefficients.png")
    kl = np.array(latent["kl_per_dimension"]) if "kl_per_dimension" in latent else None
    figures.draw_use_of_coordinates(np.array(latent["deviation_of_means"]), kl, folder / "coordinates.png")
    figures.draw_singular_values(run.singular_values, rank, folder / "singular_values.png")
    figures.draw_losses(read_metrics(run.folder.metrics), folder / "losses.png")
    captions = {
        "reconstructions": ("Reconstructions", "Test samples, and what the model makes of them."),
        "samples": (
            "Random samples",
            f"Decoded draws from a Gaussian mixture ({len(run.density.weights)} components) fitted on the training "
            "coefficients.",
        ),
        "neighbours": (
            "Nearest training samples",
            f"Random samples, and the nearest to them of {min(SEARCHED, len(dataset.train))} training samples.",
        ),
        "interpolations": (
            "Interpolations",
            "Straight lines between the coefficients of two test samples, far from each other.",
        ),
        "coefficients": ("Coefficients", "The first two coefficients of every training sample."),
        "coordinates": (
            "Use of the coordinates",
            "Over the training set. A coordinate with means that hardly spread, or a KL term of nearly zero, has "
            "collapsed: it says nothing of the sample.",
        ),
        "singular_values": (
            "Latent singular values",
            f"Of the latent matrix of the whole training set, before it is cut to rank {rank}.",
        ),
        "losses": ("Training", "Each logged step is one batch."),
    }
    return [Picture(title, folder / f"{name}.png", caption) for name, (title, caption) in captions.items()]


def _draw_neighbours(samples: np.ndarray, dataset: Dataset, path: Path) -> None:
    count = min(SEARCHED, len(dataset.train))
    starts = range(0, count, INFERENCE_BATCH)
    index, _ = nearest(samples, (dataset.train[start : min(start + INFERENCE_BATCH, count)] for start in starts))
    figures.draw_rows({"sample": samples, "nearest": np.asarray(dataset.train[index])}, path)
