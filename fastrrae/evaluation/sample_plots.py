"""Generated samples next to what explains them: the nearest training samples, and the components they came from."""

from pathlib import Path

import numpy as np

from ..data import Dataset
from ..metrics import nearest
from ..run import Run
from . import plots
from .generated_samples import blocks

ROWS = ("nearest", "second", "third", "fourth")
NEIGHBOURS = len(ROWS)  # of each sample
SEARCHED = 20_000  # training samples among which neighbours are looked for
CURVES = 6  # samples and components at most, where each sample is a curve with its own axes


def draw_neighbours(samples: np.ndarray, dataset: Dataset, path: Path) -> None:
    """A row of generated samples (count, *sample_shape), and under each its four nearest training samples.

    A model that repeats its training set shows the same picture in the first two rows. Distances are Euclidean, of raw
    values, among the first 20,000 training samples.
    """
    index, _ = nearest(samples, blocks(dataset.train, min(SEARCHED, len(dataset.train))), NEIGHBOURS)
    rows = {"sample": samples}
    rows |= {name: np.asarray(dataset.train[column]) for name, column in zip(ROWS, index.T, strict=False)}
    plots.draw_rows(rows, path)


def draw_components(run: Run, path: Path, *, columns: int = 10) -> None:
    """A row for each component of the run's Gaussian mixture, by falling weight: its mean, then samples, decoded."""
    mixture = run.density
    order = np.argsort(-mixture.weights, kind="stable")
    if not plots.is_image(run.sample_shape):
        order, columns = order[:CURVES], min(columns, CURVES)
    seed = run.config.evaluation.evaluation_seed
    coefficients = [
        np.vstack([mixture.means[i][None], mixture.sample_component(i, columns - 1, seed)]) for i in map(int, order)
    ]
    samples = run.decode(np.concatenate(coefficients)).reshape(len(order), columns, *run.sample_shape)
    names = [f"{number}: {mixture.weights[i]:.0%}" for number, i in enumerate(order, start=1)]
    plots.draw_rows(dict(zip(names, samples, strict=True)), path)
