"""From samples to a shuffled, resumable stream of batches, read ahead by threads or processes (grain)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from ..errors import InputError
from .normalisation import Normalisation
from .samples import Samples
from .shard_order import ShardOrder
from .worker_processes import make_flags_of_grain_readable, require_importable_main

if TYPE_CHECKING:
    import grain

INFERENCE_BATCH = 512
READ_AHEAD = 4  # batches
THREADS = 2  # that read where no processes do: reading leaves Python alone most of the time
ON_DEVICE = 2  # batches that are moved to the devices before they are needed


@dataclass(frozen=True)
class Share:
    """Which part of each batch this process reads: the `index`-th of `count` equal parts."""

    index: int = 0
    count: int = 1

    def of(self, size: int) -> slice:
        """Its range in a sequence of `size` things; the parts of all processes are the whole, in order."""
        return slice(size * self.index // self.count, size * (self.index + 1) // self.count)


class ShuffledBatches:
    """Batch `i` of an endless stream of epochs, each in a different order: a random-access source for grain.

    Batches are cut from the stream, not from epochs, so no sample is dropped and every batch is full. Any batch is
    computed from its index and the seed alone: a stream resumes at any step at no cost, with any number of readers,
    and the whole batch does not depend on how many processes share it.
    """

    def __init__(
        self,
        samples: Samples,
        batch_size: int,
        seed: int,
        length: int,
        share: Share,
        normalisation: Normalisation | None = None,
        shard_window: int | None = None,
    ):
        self.samples, self.batch_size, self.seed = samples, batch_size, seed
        self.length, self.share, self.normalisation = length, share, normalisation
        self.shards = None if shard_window is None else ShardOrder(samples, shard_window, seed)
        self.announces = hasattr(samples, "announce")

    def __len__(self) -> int:
        return self.length

    def __repr__(self) -> str:
        return f"ShuffledBatches({self.samples.shape}, batch_size={self.batch_size}, seed={self.seed}, {self.share})"

    def __getitem__(self, index) -> np.ndarray:
        """This process's part of batch number `index`, (batch_size / processes, *sample_shape)."""
        if self.announces:
            ahead = 1 if self.shards is None else -(-self.shards.window_size // self.batch_size)
            self.samples.announce(self._chosen(int(index) + ahead))  # pyright: ignore[reportAttributeAccessIssue]
        batch = self.samples[self._chosen(int(index))]
        return batch if self.normalisation is None else self.normalisation.apply(batch)

    def _chosen(self, index: int) -> np.ndarray:
        """The samples of this process's part of a batch."""
        own = self.share.of(self.batch_size)
        # In windows of shards, the whole batch is sorted before it is shared.
        rows = np.arange(self.batch_size)[own if self.shards is None else slice(None)]
        epochs, places = np.divmod(index * self.batch_size + rows, len(self.samples))
        chosen = np.empty(len(rows), np.int64)
        for epoch in np.unique(epochs):
            here = epochs == epoch
            if self.shards is None:
                chosen[here] = _order(self.seed, int(epoch), len(self.samples))[places[here]]
            else:
                chosen[here] = self.shards.rows(int(epoch), places[here])
        return chosen if self.shards is None else chosen[own]


@lru_cache(maxsize=4)
def _order(seed: int, epoch: int, count: int) -> np.ndarray:
    """The order of an epoch; kept, since all of its batches need it."""
    return np.random.default_rng((seed, epoch)).permutation(count)


def training_batches(
    samples: Samples,
    *,
    batch_size: int,
    seed: int,
    steps: int,
    start: int = 0,
    workers: int = 0,
    share: Share | None = None,
    place: Callable[[np.ndarray], jax.Array] | None = None,
    normalisation: Normalisation | None = None,
    shard_window: int | None = None,
) -> "grain.DatasetIterator":
    """Batches `start` to `steps` for training, raw values unless there is a `normalisation`.

    Args:
        samples: what is shuffled.
        batch_size: the size of the whole batch, that all processes share.
        seed: determines the order, together with the number of samples.
        steps: where the stream ends.
        start: the batch to start with.
        workers: processes that read; 0 reads in threads of this one. The batches are the same.
        share: this process's part of each batch; all of it by default.
        place: moves a batch to the devices, ahead of its use.
        normalisation: the normalisation of data that must be normalised before it is moved
            (`Dataset.normalise_on_host`).
        shard_window: draw batches from this number of shards at a time, see `ShardOrder`; by default from all samples.

    Raises:
        InputError: `workers` processes cannot be started from a script that does its work when it is imported.
    """
    import grain  # a second, which only training needs

    if workers < 0 or seed < 0 or batch_size < 1:
        raise InputError(
            f"`workers` and `seed` must be at least 0 and `batch_size` at least 1; got {workers}, {seed}, {batch_size}"
        )
    source = ShuffledBatches(samples, batch_size, seed, steps, share or Share(), normalisation, shard_window)
    options = grain.ReadOptions(num_threads=1 if workers else THREADS, prefetch_buffer_size=READ_AHEAD)
    batches: Any = grain.MapDataset.source(source)[start:].to_iter_dataset(options)
    if workers:
        require_importable_main()
        make_flags_of_grain_readable()
        batches = batches.mp_prefetch(grain.MultiprocessingOptions(workers, per_worker_buffer_size=READ_AHEAD))
    if place is not None:
        batches = grain.experimental.ThreadPrefetchIterDataset(batches.map(place), prefetch_buffer_size=ON_DEVICE)
    stream: Any = iter(batches)
    return stream


def ordered_batches(
    samples: Samples, normalisation: Normalisation, batch_size: int = INFERENCE_BATCH, share: Share | None = None
) -> Iterator[np.ndarray]:
    """All samples once (or this process's share of them), in order, normalised; the last batch may be smaller."""
    own = (share or Share()).of(len(samples))
    for start in range(own.start, own.stop, batch_size):
        yield normalisation.apply(samples[start : min(start + batch_size, own.stop)])
