"""The meaning of this package in slow, obvious NumPy: float64, full decompositions, element-wise formulas."""

import numpy as np


def truncated_svd(a: np.ndarray, rank: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The full SVD of LAPACK in float64, truncated: `(u, s, vt)`."""
    u, s, vt = np.linalg.svd(np.asarray(a, np.float64), full_matrices=False)
    return u[..., :rank], s[..., :rank], vt[..., :rank, :]


def low_rank(a: np.ndarray, rank: int) -> np.ndarray:
    """The best approximation of `a` with the given rank."""
    u, s, vt = truncated_svd(a, rank)
    return (u * s[..., None, :]) @ vt


def low_rank_derivative(a: np.ndarray, rank: int, direction: np.ndarray) -> np.ndarray:
    """The derivative of `low_rank` at one matrix `a` (m, n) along `direction`, by divided differences.

    `low_rank` applies f(s) = s (kept) or 0 (discarded) to each singular value. With both bases complete and
    `e = u^T direction v` padded to a square, its derivative weighs the symmetric part of `e` by
    (f(s_i) - f(s_j)) / (s_i - s_j), or f' where both are equal, and the skew part by (f(s_i) + f(s_j)) / (s_i + s_j).
    """
    m, n = a.shape
    size = max(m, n)
    padded_a, padded_e = np.zeros((size, size)), np.zeros((size, size))
    padded_a[:m, :n], padded_e[:m, :n] = a, direction
    u, s, vt = np.linalg.svd(padded_a)
    f = np.where(np.arange(size) < rank, s, 0.0)
    slope = (np.arange(size) < rank).astype(float)
    e = u.T @ padded_e @ vt.T
    out = np.zeros_like(e)
    for i in range(size):
        for j in range(size):
            same_side = slope[i] == slope[j]
            sym = slope[i] if same_side else (f[i] - f[j]) / (s[i] - s[j])
            skew = slope[i] if same_side else (f[i] + f[j]) / (s[i] + s[j])
            out[i, j] = sym * (e[i, j] + e[j, i]) / 2 + skew * (e[i, j] - e[j, i]) / 2
    return (u @ out @ vt)[:m, :n]
