"""What costs nothing: principal components (POD) of the samples themselves, as many as a model has coefficients."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np

from fastrrae_kernels import truncated_svd

from ..data import Normalisation, Samples, ordered_batches
from .reconstruction import ReconstructionSums
from .results import ReconstructionError

MOST_VALUES = 2**26  # of the training set, a quarter of a gigabyte: beyond, the first samples have to do


@dataclass(frozen=True)
class PrincipalComponents:
    """The first principal components of normalised samples.

    Attributes:
        mean: the mean of the samples, (features,).
        components: orthonormal rows (rank, features).
        normalisation: from raw values to those that components are of.
        samples: how many determined them.
    """

    mean: np.ndarray
    components: np.ndarray
    normalisation: Normalisation
    samples: int

    @classmethod
    def fit(cls, rank: int, train: Samples, normalisation: Normalisation) -> "PrincipalComponents":
        """Of raw training samples (count, *sample_shape), or the first of them where there are very many values.

        There are no more components than features or samples.
        """
        features = int(np.prod(train.shape[1:]))
        count = min(len(train), max(MOST_VALUES // features, 1))
        first = np.asarray(normalisation.apply(train[:count]), np.float32).reshape(count, features)
        mean = first.mean(axis=0, dtype=np.float64).astype(np.float32)
        components = truncated_svd(jnp.asarray(first - mean), min(rank, *first.shape)).vt
        return cls(mean, np.asarray(components), normalisation, count)

    def first(self, rank: int) -> "PrincipalComponents":
        """The first `rank` of these."""
        return replace(self, components=self.components[:rank])

    def codes(self, samples: Samples) -> np.ndarray:
        """Coefficients (count, rank) of raw samples."""
        return np.concatenate([codes for _, codes in self._batches(samples)])

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Normalised samples (count, features) from coefficients (count, rank)."""
        return self.mean + codes @ self.components

    def error(self, samples: Samples) -> ReconstructionError:
        """How well raw samples come back from their coefficients."""
        pairs = ((x, self.decode(codes)) for x, codes in self._batches(samples))
        return ReconstructionSums(pairs).error()

    def _batches(self, samples: Samples) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Normalised samples (count, features) and their coefficients."""
        for batch in ordered_batches(samples, self.normalisation):
            x = np.asarray(batch, np.float32).reshape(len(batch), -1)
            yield x, (x - self.mean) @ self.components.T
