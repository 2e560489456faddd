"""A small classifier of a data set's own labels, whose last hidden layer gives features.

The VRRAE paper fine-tunes an Inception network on the labels for the same purpose (appendix A.4).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import numpy as np
from flax import nnx
from jax import Array

from ..data import Normalisation, Samples
from ..data.pipeline import INFERENCE_BATCH
from ..models.convolutional import ConvolutionalEncoder
from ..models.layers import linear
from ..models.mlp import MLPEncoder
from ..training.state_arrays import digest

FEATURES = 128
_WIDTHS = (32, 64, 128)


class ClassifierNetwork(nnx.Module):
    """(batch, *sample_shape) -> (batch, classes), by way of `features` (batch, FEATURES)."""

    def __init__(self, sample_shape: Sequence[int], classes: int, *, rngs: nnx.Rngs):
        if len(sample_shape) == 1:
            self.trunk = MLPEncoder(sample_shape, FEATURES, rngs=rngs)
        else:
            self.trunk = ConvolutionalEncoder(sample_shape, FEATURES, widths=_WIDTHS, rngs=rngs)
        self.head = linear(FEATURES, classes, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        return self.head(self.features(x))

    def features(self, x: Array) -> Array:
        """The last hidden layer."""
        return nnx.relu(self.trunk(x))


@dataclass(frozen=True)
class Classifier:
    """A trained classifier as a `FeatureExtractor`."""

    network: ClassifierNetwork
    normalisation: Normalisation
    facts: dict[str, Any]  # what it was trained on, and its accuracy
    dimensions: int = FEATURES

    def __call__(self, samples: Samples) -> np.ndarray:
        """Features of raw samples (count, *sample_shape)."""
        starts = range(0, len(samples), INFERENCE_BATCH)
        batches = (self.normalisation.apply(samples[start : start + INFERENCE_BATCH]) for start in starts)
        parts = [np.asarray(self._features(batch)) for batch in batches]
        return np.concatenate(parts) if parts else np.zeros((0, FEATURES), np.float32)

    def accuracy(self, samples: Samples, labels: np.ndarray) -> float:
        """The share of raw samples that are classified right."""
        head = jax.jit(self.network.head)
        return float(np.mean(np.asarray(head(self(samples))).argmax(axis=1) == labels))

    def describe(self) -> dict[str, Any]:
        """Facts and digest."""
        return {"kind": "classifier", "dimensions": FEATURES, **self.facts, "sha256": digest(nnx.state(self.network))}

    @cached_property
    def _features(self):
        graph, state = nnx.split(self.network)
        return jax.jit(lambda x: nnx.merge(graph, state).features(x))
