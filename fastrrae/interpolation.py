"""Paths between two samples in the space of coefficients."""

from typing import Literal

import numpy as np

from .errors import InputError

PathKind = Literal["linear", "spherical"]


def interpolate(start: np.ndarray, end: np.ndarray, steps: int, kind: PathKind = "linear") -> np.ndarray:
    """`steps` points from `start` to `end`, both included: (..., rank) twice -> (..., steps, rank)."""
    return points_between(start, end, np.linspace(0, 1, steps), kind)


def points_between(start: np.ndarray, end: np.ndarray, weights: np.ndarray, kind: PathKind = "linear") -> np.ndarray:
    """Points at `weights` (steps,), 0 at `start` and 1 at `end`: (..., rank) twice -> (..., steps, rank), float32.

    linear: `(1 - w) start + w end`. spherical: along the great circle, `(sin((1 - w) t) start + sin(w t) end) / sin t`
    with t the angle between the two (Shoemake 1985), and straight where that is not defined: ends on one line.
    """
    if kind not in ("linear", "spherical"):
        raise InputError(f"`method` must be linear or spherical; got {kind!r}")
    a, b = (np.asarray(end_point, np.float64)[..., None, :] for end_point in (start, end))
    w = np.asarray(weights, np.float64)[:, None]
    straight = (1 - w) * a + w * b
    if kind == "linear":
        return straight.astype(np.float32)
    sizes = np.linalg.norm(a, axis=-1, keepdims=True) * np.linalg.norm(b, axis=-1, keepdims=True)
    cosine = np.sum(a * b, axis=-1, keepdims=True) / np.where(sizes > 0, sizes, 1)
    angle = np.arccos(np.clip(cosine, -1, 1))
    sine = np.sin(angle)
    on_a_line = (sine < 1e-6) | (sizes == 0)
    curved = (np.sin((1 - w) * angle) * a + np.sin(w * angle) * b) / np.where(on_a_line, 1, sine)
    return np.where(on_a_line, straight, curved).astype(np.float32)


def random_pairs(count: int, pairs: int, seed: int) -> np.ndarray:
    """`pairs` pairs of two different indices below `count`, (pairs, 2), drawn at random."""
    rng = np.random.default_rng(seed)
    first = rng.integers(count, size=pairs)
    return np.stack([first, (first + rng.integers(1, count, size=pairs)) % count], axis=1)


def distant_pairs(coefficients: np.ndarray, count: int) -> list[tuple[int, int]]:
    """`count` disjoint pairs of rows that are far from each other, farthest first: paths worth looking at."""
    distances = np.linalg.norm(coefficients[:, None] - coefficients[None, :], axis=-1)
    pairs: list[tuple[int, int]] = []
    free = set(range(len(coefficients)))
    for flat in np.argsort(-distances, axis=None):
        i, j = divmod(int(flat), len(coefficients))
        if i in free and j in free and i != j:
            pairs.append((i, j))
            free -= {i, j}
        if len(pairs) == count:
            break
    return pairs
