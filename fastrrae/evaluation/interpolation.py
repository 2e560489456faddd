"""Ways between two samples in the space of coefficients."""

import numpy as np


def interpolate(start: np.ndarray, end: np.ndarray, steps: int) -> np.ndarray:
    """`steps` points on the straight line from `start` to `end` (rank,), both included: (steps, rank)."""
    weights = np.linspace(0, 1, steps, dtype=np.float32)[:, None]
    return (1 - weights) * start + weights * end


def distant_pairs(coefficients: np.ndarray, count: int) -> list[tuple[int, int]]:
    """`count` disjoint pairs of rows that are far from each other, farthest first: ways worth looking at."""
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
