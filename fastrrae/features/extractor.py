"""What an evaluation needs of a network of features."""

from typing import Any, Protocol

import numpy as np

from ..data import Samples


class FeatureExtractor(Protocol):
    """Features of samples by a network that does not change."""

    @property
    def dimensions(self) -> int:
        """How many features a sample has."""
        ...

    def __call__(self, samples: Samples) -> np.ndarray:
        """Features (count, dimensions), float32, of raw samples (count, *sample_shape), any count."""
        ...

    def require_sample_shape(self, sample_shape: tuple[int, ...]) -> None:
        """Raise InputError unless the network takes samples of this shape."""
        ...

    def describe(self) -> dict[str, Any]:
        """What a reader must know to compare results: the kind of network, its digest, how good it is."""
        ...
