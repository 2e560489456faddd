"""The singular values and right singular vectors of a latent matrix too tall to hold: one streaming pass."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
from jax.typing import ArrayLike


class LatentSpectrum(NamedTuple):
    """The right side of the SVD of a whole latent matrix (samples, latent_size)."""

    singular_values: np.ndarray  # (latent_size,), descending
    basis: np.ndarray  # (latent_size, latent_size), right singular vectors as rows, in the same order


Reduce = Callable[[np.ndarray], np.ndarray]


def latent_spectrum(latents: Iterable[ArrayLike], latent_size: int, reduce: Reduce | None = None) -> LatentSpectrum:
    """Accumulate `z.T @ z` over batches `z` (batch, latent_size) in float64, and take its eigenvectors.

    Where several processes each see a part of the latents, `reduce` sums their matrices (latent_size, latent_size).

    Exact to the rounding of float32 latents, however many samples there are. The sign of each vector is fixed (its
    largest entry is positive), so that the same latents always give the same basis.
    """
    gram = np.zeros((latent_size, latent_size))
    for z in latents:
        z64 = np.asarray(z, np.float64)
        gram += z64.T @ z64
    if reduce is not None:
        gram = reduce(gram)
    values, vectors = np.linalg.eigh(gram)
    basis = vectors[:, ::-1].T
    largest = np.take_along_axis(basis, np.abs(basis).argmax(axis=1, keepdims=True), axis=1)
    return LatentSpectrum(np.sqrt(np.maximum(values[::-1], 0)), basis * np.where(largest < 0, -1.0, 1.0))
