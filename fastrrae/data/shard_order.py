"""The order of samples that are read shard by shard: few files are open, and few are wanted on a host, at a time."""

from functools import lru_cache
from typing import Any

import numpy as np

from ..errors import InputError
from .samples import Samples


class ShardOrder:
    """Orders of the samples in which each window of a few shards is read before the next one.

    In each epoch the shards are shuffled and cut into windows, and the samples of a window are shuffled. The rows of a
    batch are then sorted by shard, so that the part of a batch that one of H hosts reads comes from about every H-th
    shard of the window. A batch holds the same samples for any number of hosts.

    Args:
        samples: the samples of a prepared folder.
        window: shards.
        seed: the seed of all orders.

    Raises:
        InputError: the samples do not lie in shards.
    """

    def __init__(self, samples: Samples, window: int, seed: int):
        find = getattr(samples, "shard_numbers", None)
        numbers = None if find is None else find()
        if numbers is None:
            raise InputError("`shard_window` is for data in shards: a folder that `fastrrae prepare` has written")
        self._numbers, self._window, self._seed = np.asarray(numbers), window, seed
        self.orders = lru_cache(maxsize=4)(self._order)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "orders"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.orders = lru_cache(maxsize=4)(self._order)

    @property
    def window_size(self) -> int:
        """Samples in a window, about."""
        return max(1, len(self._numbers) * self._window // (int(self._numbers.max()) + 1))

    def rows(self, epoch: int, places: np.ndarray) -> np.ndarray:
        """The samples at some places of an epoch, those of one shard next to each other."""
        order, position = self.orders(epoch)
        chosen = order[places]
        return chosen[np.lexsort((chosen, position[self._numbers[chosen]]))]

    def _order(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """The samples of an epoch in order, and the position of each shard."""
        random = np.random.default_rng((self._seed, epoch))
        shards = random.permutation(np.unique(self._numbers))
        position = np.zeros(int(self._numbers.max()) + 1, np.int64)
        position[shards] = np.arange(len(shards))
        window = position[self._numbers] // self._window
        return np.lexsort((random.random(len(window)), window)), position
