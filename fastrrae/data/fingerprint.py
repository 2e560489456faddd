"""A digest of what a data set holds, by which a run knows its data again."""

import hashlib
from collections.abc import Iterator, Mapping

import numpy as np

from .samples import Samples, blocks, bytes_of

WHOLE_BYTES = 64 * 2**20  # up to here every value counts
SAMPLED_BYTES = 16 * 2**20  # of a larger set: about so much, in rows at equal distances


def fingerprint_of(parts: Mapping[str, Samples]) -> str:
    """SHA-256 over the name, shape, type and values of each part, in order of names.

    Parts of up to 64 MiB count in full. Of a larger one about 16 MiB count, in rows at equal distances, first and last
    included: a change to some other row of a large set goes unnoticed. The same values give the same fingerprint, in
    memory or mapped from a file, in either byte order.
    """
    digest = hashlib.sha256()
    for name, samples in sorted(parts.items()):
        dtype = np.dtype(samples.dtype).newbyteorder("<")
        digest.update(f"{name} {tuple(samples.shape)} {dtype.str}\n".encode("utf-8", "surrogateescape"))
        for block in _counted(samples):
            digest.update(np.ascontiguousarray(block, dtype).data)
    return digest.hexdigest()


def _counted(samples: Samples) -> Iterator[np.ndarray]:
    total = bytes_of(samples)
    if not total:
        return
    if total <= WHOLE_BYTES:
        yield from blocks(samples)
        return
    rows = max(2, SAMPLED_BYTES * len(samples) // total)
    for indices in np.array_split(np.unique(np.linspace(0, len(samples) - 1, rows).astype(np.int64)), 16):
        yield samples[indices]
