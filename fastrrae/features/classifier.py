"""A small classifier of a data set's own labels, whose last hidden layer gives features.

The VRRAE paper fine-tunes an Inception network on the labels for the same purpose (appendix A.4).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from ..data import Normalisation, Samples, ordered_batches
from ..models.convolutional import ConvolutionalEncoder
from ..models.layers import linear
from ..models.mlp import MLPEncoder
from ..training.state_arrays import digest

FEATURES = 128
_WIDTHS = (32, 64, 128)


class Scale(nnx.Variable):
    """A factor that is set once training is over."""


class ClassifierNetwork(nnx.Module):
    """(batch, *sample_shape) -> (batch, classes), by way of the hidden layer that `features` (batch, FEATURES) scales.

    `scale` makes the mean square of the features one over the training set, so that figures of different data sets and
    classifiers are of one magnitude.
    """

    def __init__(self, sample_shape: Sequence[int], classes: int, *, rngs: nnx.Rngs):
        if len(sample_shape) == 1:
            self.trunk = MLPEncoder(sample_shape, FEATURES, rngs=rngs)
        else:
            self.trunk = ConvolutionalEncoder(sample_shape, FEATURES, widths=_WIDTHS, rngs=rngs)
        self.sample_shape, self.classes = tuple(sample_shape), classes
        self.head = linear(FEATURES, classes, rngs=rngs)
        self.scale = Scale(jnp.ones(()))

    def __call__(self, x: Array) -> Array:
        return self.head(nnx.relu(self.trunk(x)))

    def features(self, x: Array) -> Array:
        """The last hidden layer, scaled."""
        return nnx.relu(self.trunk(x)) * self.scale[...]


@dataclass(frozen=True)
class Classifier:
    """A trained classifier as a `FeatureExtractor`."""

    network: ClassifierNetwork
    normalisation: Normalisation
    facts: dict[str, Any]  # what it was trained on, and its accuracy
    dimensions: int = FEATURES

    def __call__(self, samples: Samples) -> np.ndarray:
        """Features of raw samples (count, *sample_shape)."""
        return self._in_batches(self._features, samples, FEATURES)

    def accuracy(self, samples: Samples, labels: np.ndarray) -> float:
        """The share of raw samples that are classified right."""
        logits = self._in_batches(self._logits, samples, self.network.classes)
        return float(np.mean(logits.argmax(axis=1) == labels))

    def describe(self) -> dict[str, Any]:
        """Facts and digest."""
        return {"kind": "classifier", "dimensions": FEATURES, **self.facts, "sha256": digest(nnx.state(self.network))}

    @cached_property
    def _features(self) -> Callable[[np.ndarray], Array]:
        graph, state = nnx.split(self.network)
        return jax.jit(lambda x: nnx.merge(graph, state).features(x))

    @cached_property
    def _logits(self) -> Callable[[np.ndarray], Array]:
        graph, state = nnx.split(self.network)
        return jax.jit(lambda x: nnx.merge(graph, state)(x))

    def _in_batches(self, apply: Callable[[np.ndarray], Array], samples: Samples, width: int) -> np.ndarray:
        parts = [np.asarray(apply(batch)) for batch in ordered_batches(samples, self.normalisation)]
        return np.concatenate(parts) if parts else np.zeros((0, width), np.float32)
