"""The one table of shapes and spectra that tests and benchmarks share."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Shape:
    """A latent matrix as training meets it: `m` samples in a batch, `n` latent coordinates, rank `k`."""

    name: str
    m: int
    n: int
    k: int


SHAPES = (
    Shape("gaussians", 64, 200, 2),
    Shape("mnist", 576, 100, 16),
    Shape("cifar10", 64, 512, 60),
    Shape("celeba", 576, 512, 186),
)


def _clustered(d: int) -> np.ndarray:
    """Three groups of nearly equal values."""
    return np.array([1.0, 0.5, 0.1])[np.arange(d) * 3 // d] * (1 + 1e-4 * np.arange(d)[::-1] / d)


def _tied(d: int) -> np.ndarray:
    """Pairs of exactly equal values."""
    return 1.0 / (1 + np.arange(d) // 2)


def _deficient(d: int) -> np.ndarray:
    """Rank d // 4, below every k that the tests ask for."""
    return np.where(np.arange(d) < max(1, d // 4), 1.0 / (1 + np.arange(d)), 0.0)


# Singular values in descending order, as functions of min(m, n).
SPECTRA: dict[str, Callable[[int], np.ndarray]] = {
    "harmonic": lambda d: 1.0 / (1 + np.arange(d)),
    "geometric": lambda d: 0.9 ** np.arange(d),
    "log-spaced": lambda d: np.logspace(0, -4, d),
    "clustered": _clustered,
    "tied": _tied,
    "deficient": _deficient,
    "zero": lambda d: np.zeros(d),
}


def gaussian_matrix(m: int, n: int, seed: int = 0) -> np.ndarray:
    """Independent standard normal entries, float64."""
    return np.random.default_rng(seed).standard_normal((m, n))


def matrix_with_spectrum(spectrum: str, m: int, n: int, seed: int = 0) -> np.ndarray:
    """A float64 matrix (m, n) with a spectrum of the table and random singular vectors."""
    d = min(m, n)
    left = np.linalg.qr(gaussian_matrix(m, d, seed))[0]
    right = np.linalg.qr(gaussian_matrix(n, d, seed + 1))[0]
    return (left * SPECTRA[spectrum](d)) @ right.T
