"""What the page of the explorer asks for: decoded points, paths, samples, and the neighbours of a point."""

from typing import Literal

import numpy as np

from ..data import Dataset
from ..errors import InputError
from ..interpolation import PathKind, points_between
from ..latent_summary import coefficients_of
from ..models.inference import compile_method
from ..run import Run

Split = Literal["training", "test"]
NEIGHBOURS = 6


class Explorer:
    """A run, opened for a page: its decoder is compiled for one sample, once.

    Args:
        run: a finished run.
        dataset: the data of the run, for parameters to colour by and for training samples; without it, neighbours are
            looked for among the test samples that the run keeps.
    """

    def __init__(self, run: Run, dataset: Dataset | None = None):
        if run.codec is not None:
            raise InputError(
                "`run` must be one on images, signals or vectors: strings cannot be drawn. `fastrrae interpolate` and "
                "`fastrrae traverse` write them as text"
            )
        self.run, self.dataset = run, dataset
        self._decode = compile_method(run.model, "decode", (1, run.rank))
        self._examples = coefficients_of(run.model, run.examples, run.normalisation)
        self.decode(run.mean_coefficients)  # the first call of a program takes longer than those that follow

    def decode(self, coefficients: np.ndarray) -> np.ndarray:
        """The sample (*sample_shape) of coefficients (rank,), as `Run.decode` gives it, in the units of the data."""
        return self.run.normalisation.invert(self._decode(self._point(coefficients)[None]))[0]

    def between(self, a: np.ndarray, b: np.ndarray, weight: float, method: PathKind) -> np.ndarray:
        """Coefficients (rank,) at `weight` on the path from `a` (0) to `b` (1)."""
        if not 0 <= weight <= 1:
            raise InputError(f"`weight` must be from 0 to 1; got {weight}")
        return points_between(self._point(a), self._point(b), np.array([weight]), method)[0]

    @property
    def neighbours_are(self) -> Split:
        """Where neighbours are looked for: training samples can be shown only where the data can be read."""
        return "test" if self.dataset is None else "training"

    def nearest(self, coefficients: np.ndarray, count: int = NEIGHBOURS) -> tuple[np.ndarray, np.ndarray]:
        """Indices and Euclidean distances of the samples whose coefficients are nearest, nearest first."""
        distances = np.linalg.norm(self.coefficients_of(self.neighbours_are) - self._point(coefficients), axis=1)
        order = np.argsort(distances, kind="stable")[:count]
        return order, distances[order]

    def coefficients_of(self, split: Split) -> np.ndarray:
        """The coefficients (count, rank) of training samples, or of the test samples that the run keeps."""
        return self.run.training_coefficients if split == "training" else self._examples

    def samples(self, split: Split, indices: np.ndarray) -> np.ndarray:
        """Samples (count, *sample_shape) by their indices, as they were before they were encoded.

        Raises:
            InputError: an index is not that of a sample, or training samples are asked for and cannot be read.
        """
        if split == "training" and self.dataset is None:
            raise InputError("training samples cannot be shown: the data of the run was not found")
        known = self.run.examples if self.dataset is None or split == "test" else self.dataset.train
        if len(indices) and not (indices.min() >= 0 and indices.max() < len(known)):
            raise InputError(f"samples have indices from 0 to {len(known) - 1}; got {indices.tolist()}")
        return np.asarray(known[indices])

    def label_of(self, split: Split, index: int) -> str:
        """The name or number of the class of a sample; empty where it is not known."""
        labels = self._labels(split)
        if labels is None or index >= len(labels):
            return ""
        names = self.run.label_names
        return names[labels[index]] if names else str(labels[index])

    def _labels(self, split: Split) -> np.ndarray | None:
        if split == "training":
            return self.run.training_labels
        return None if self.dataset is None else self.dataset.labels.get(next(iter(self.dataset.tests)))

    def _point(self, coefficients: np.ndarray) -> np.ndarray:
        point = np.asarray(coefficients, np.float32)
        if point.shape != (self.run.rank,) or not np.isfinite(point).all():
            raise InputError(f"`coefficients` must be {self.run.rank} finite numbers")
        return point
