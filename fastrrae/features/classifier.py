"""A small classifier of a data set's own labels, whose last hidden layer gives features.

The VRRAE paper fine-tunes an Inception network on the labels for the same purpose (appendix A.4).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from ..data import Normalisation, Samples
from ..errors import InputError
from ..models.inference import infer
from ..networks.convolutional import ConvolutionalEncoder
from ..networks.layers import linear
from ..networks.mlp import MLPEncoder
from ..training.state_arrays import digest

FEATURES = 128
WIDTHS = (32, 64, 128)


class Scale(nnx.Variable):
    """A factor that is set once training is over."""


class ClassifierNetwork(nnx.Module):
    """(batch, *sample_shape) -> (batch, classes), by way of the hidden layer that `features` (batch, FEATURES) scales.

    `widths` are the channels of its convolutions; samples that are vectors have a multilayer perceptron instead.
    `scale` makes the mean square of the features one over the training set, so that metrics of different data sets and
    classifiers are of one magnitude.
    """

    def __init__(self, sample_shape: Sequence[int], classes: int, *, widths: Sequence[int] = WIDTHS, rngs: nnx.Rngs):
        if len(sample_shape) == 1:
            self.trunk = MLPEncoder(sample_shape, FEATURES, rngs=rngs)
        else:
            self.trunk = ConvolutionalEncoder(sample_shape, FEATURES, widths=widths, rngs=rngs)
        self.sample_shape, self.classes, self.widths = tuple(sample_shape), classes, tuple(widths)
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
        return self._infer("features", samples)

    def accuracy(self, samples: Samples, labels: np.ndarray) -> float:
        """The share of raw samples that are classified right."""
        return float(np.mean(self._infer("__call__", samples).argmax(axis=1) == labels))

    def describe(self) -> dict[str, Any]:
        """Facts and digest."""
        return {"kind": "classifier", "dimensions": FEATURES, **self.facts, "sha256": digest(nnx.state(self.network))}

    def require_sample_shape(self, sample_shape: tuple[int, ...]) -> None:
        """Raise unless the network takes samples of this shape."""
        if sample_shape != self.network.sample_shape:
            raise InputError(
                f"`features` must be of a network that takes the samples of the data, of shape {sample_shape}; this "
                f"classifier was trained on samples of shape {self.network.sample_shape}: train one on this data with "
                f"`fastrrae train-features`"
            )

    def _infer(self, method: str, samples: Samples) -> np.ndarray:
        self.require_sample_shape(tuple(samples.shape[1:]))
        return infer(self.network, method, samples, prepare=self.normalisation.apply)
