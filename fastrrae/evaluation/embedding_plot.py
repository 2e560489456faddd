"""Data and codes side by side in two dimensions, by t-SNE or PCA."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
from matplotlib.figure import Figure

from ..data import Dataset
from ..models.inference import infer
from ..run import Run
from . import plots
from .figure_style import house_style, save_figure

MOST_POINTS = 1000  # of t-SNE, whose time grows faster than they do
PERPLEXITY = 30

EmbeddingMethod = Literal["t-sne", "pca"]


def draw_embedding(
    run: Run,
    dataset: Dataset,
    path: Path,
    *,
    method: EmbeddingMethod = "t-sne",
    points: int = MOST_POINTS,
    seed: int = 0,
) -> None:
    """Test samples (left) and their coefficients (right), each embedded in the plane, coloured by label if known.

    Args:
        run: a finished run.
        dataset: its data.
        path: the file to write.
        method: t-SNE (van der Maaten and Hinton 2008), which keeps neighbourhoods and no distances, or the first two
            principal components.
        points: samples at most, drawn at random from the main test set.
        seed: the seed of that choice, and of t-SNE.
    """
    main, samples = next(iter(dataset.tests.items()))
    chosen = np.sort(np.random.default_rng(seed).permutation(len(samples))[:points])
    values = np.asarray(samples[chosen])
    labels = dataset.labels.get(main)
    labels = None if labels is None else labels[chosen]
    panels = {
        "data": run.normalisation.apply(values).reshape(len(values), -1),
        f"codes ({run.rank} coefficients)": infer(run.model, "coefficients", values, prepare=run.normalisation.apply),
    }
    with house_style():
        figure = Figure(figsize=(8.0, 3.6), layout="constrained")
        for ax, (name, vectors) in zip(figure.subplots(1, 2), panels.items(), strict=True):
            x, y = embed(vectors, method, seed).T
            plots.scatter_by_label(ax, x, y, labels, dataset.label_names, legend=not name.startswith("data"))
            ax.set(title=f"{'t-SNE' if method == 't-sne' else 'PCA'} of {name}")
            if method == "pca":
                ax.set(xlabel="first component", ylabel="second component")
            else:  # its axes have no unit
                ax.set(xticks=[], yticks=[])
        save_figure(figure, path)


def embed(vectors: np.ndarray, method: EmbeddingMethod, seed: int) -> np.ndarray:
    """Vectors (count, features) as points (count, 2) in the plane."""
    vectors = np.asarray(vectors, np.float64)
    if method == "pca" or len(vectors) < 5:
        return _principal_plane(vectors)
    from sklearn.manifold import TSNE  # a second to import
    from threadpoolctl import threadpool_limits

    perplexity = min(PERPLEXITY, (len(vectors) - 1) / 3)
    plane = _principal_plane(vectors)
    # Any: type checkers take scikit-learn's default, a string, for the type of `init`.
    start: Any = 1e-4 * plane / max(plane[:, 0].std(), np.finfo(float).tiny)
    with threadpool_limits(1):  # the sums of several threads depend on their number, and wait where cores are busy
        return TSNE(2, perplexity=perplexity, init=start, random_state=seed).fit_transform(vectors)


def _principal_plane(vectors: np.ndarray) -> np.ndarray:
    centred = vectors - vectors.mean(axis=0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    plane = u[:, :2] * s[:2]
    return np.pad(plane, ((0, 0), (0, 2 - plane.shape[1])))
