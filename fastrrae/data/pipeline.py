"""From samples to an endless, shuffled, resumable stream of normalised batches (grain)."""

from collections.abc import Iterator

import grain
import numpy as np

from .dataset import Normalisation

INFERENCE_BATCH = 512


class ShuffledBatches:
    """Batch `i` of an endless stream of epochs, each in an order of its own: a random-access source for grain.

    Batches are cut from the stream, not from epochs, so no sample is dropped and every batch is full. Any batch is
    computed from its index and the seed alone: a stream resumes at any step at no cost.
    """

    def __init__(self, samples: np.ndarray, normalisation: Normalisation, batch_size: int, seed: int, length: int):
        self.samples, self.normalisation = samples, normalisation
        self.batch_size, self.seed, self.length = batch_size, seed, length

    def __len__(self) -> int:
        return self.length

    def __repr__(self) -> str:
        return f"ShuffledBatches({self.samples.shape}, batch_size={self.batch_size}, seed={self.seed})"

    def __getitem__(self, index) -> np.ndarray:
        """Batch number `index`, (batch_size, *sample_shape), float32."""
        positions = int(index) * self.batch_size + np.arange(self.batch_size)
        epochs, places = np.divmod(positions, len(self.samples))
        chosen = np.empty(self.batch_size, np.int64)
        for epoch in np.unique(epochs):
            here = epochs == epoch
            chosen[here] = self._order(int(epoch))[places[here]]
        return self.normalisation.apply(self.samples[chosen])

    def _order(self, epoch: int) -> np.ndarray:
        return np.random.default_rng((self.seed, epoch)).permutation(len(self.samples))


def training_batches(
    samples: np.ndarray, normalisation: Normalisation, *, batch_size: int, seed: int, steps: int
) -> grain.DatasetIterator:
    """`steps` batches for training, prefetched by a thread; the iterator's state can be saved and set."""
    source = ShuffledBatches(samples, normalisation, batch_size, seed, steps)
    options = grain.ReadOptions(num_threads=1, prefetch_buffer_size=4)
    return iter(grain.MapDataset.source(source).to_iter_dataset(options))


def ordered_batches(
    samples: np.ndarray, normalisation: Normalisation, batch_size: int = INFERENCE_BATCH
) -> Iterator[np.ndarray]:
    """All samples once, in order, normalised; the last batch may be smaller."""
    for start in range(0, len(samples), batch_size):
        yield normalisation.apply(samples[start : start + batch_size])
