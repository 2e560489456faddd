"""Which points to evaluate next: a Gaussian process for the scores, and the improvement that it lets expect."""

import warnings
from typing import Any

import numpy as np

# A latent space of strings explains little of the scores far away, and the likelihood would take nearly all of them for
# noise. Then no point is better than another, and the search is a random one: what was measured is believed instead.
MOST_NOISE = 0.2
MOST_SAMPLES = 800  # that the process is fitted on: the best half, and others


def normal_scores(scores: np.ndarray) -> np.ndarray:
    """Scores to minimise (n,) as quantiles of the standard normal, by their ranks; NaN is the worst of all.

    Scores may differ by orders of magnitude; what counts is which is better.
    """
    from scipy.special import ndtri
    from scipy.stats import rankdata

    ranks = rankdata(np.where(np.isnan(scores), np.inf, scores))
    return ndtri((ranks - 0.5) / len(ranks))


def fit_process(points: np.ndarray, values: np.ndarray, rng: np.random.Generator) -> Any:
    """scikit-learn's Gaussian process of values (n,) at standardised points (n, rank).

    Its kernel is Matern's of 5/2 plus noise (at most 0.2); its hyperparameters have the greatest likelihood. Of more
    than 800 points the best half and random others are taken.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    if len(points) > MOST_SAMPLES:
        order = np.argsort(values, kind="stable")
        others = rng.permutation(order[MOST_SAMPLES // 2 :])[: MOST_SAMPLES - MOST_SAMPLES // 2]
        kept = np.concatenate([order[: MOST_SAMPLES // 2], others])
        points, values = points[kept], values[kept]
    length = float(np.sqrt(points.shape[1]))
    kernel = ConstantKernel(1.0, (1e-2, 1e2)) * Matern(length / 2, (length / 8, 30 * length), nu=2.5)
    process = GaussianProcessRegressor(kernel + WhiteKernel(0.1, (1e-4, MOST_NOISE)), random_state=0)
    with warnings.catch_warnings():  # a value at its bound
        warnings.simplefilter("ignore", ConvergenceWarning)
        return process.fit(points, values)


def choose_batch(process: Any, candidates: np.ndarray, best: float, count: int) -> list[int]:
    """Indices of `count` candidates (n, rank), one after the other those of the greatest expected improvement.

    After each, the process is conditioned on its mean there: deviations fall around the point, means stay as they are,
    so that the next one is not next to it. The improvement is `(best - m) F(t) + s f(t)` with `t = (best - m) / s`.
    """
    from scipy.linalg import solve_triangular
    from scipy.stats import norm

    mean = process.predict(candidates)
    noise = process.kernel_.k2.noise_level
    signal = process.kernel_.k1
    whitened = solve_triangular(process.L_, signal(process.X_train_, candidates), lower=True)  # (train, n)
    variance = np.maximum(signal.diag(candidates) - (whitened**2).sum(axis=0), 1e-12)
    chosen: list[int] = []
    columns = np.zeros((0, len(candidates)))  # of the Cholesky factor, for the points that were chosen
    for _ in range(min(count, len(candidates))):
        deviation = np.sqrt(variance)
        t = (best - mean) / deviation
        improvement = (best - mean) * norm.cdf(t) + deviation * norm.pdf(t)
        improvement[chosen] = -np.inf
        index = int(np.argmax(improvement))
        covariance = signal(candidates[index][None], candidates)[0] - whitened[:, index] @ whitened
        covariance -= columns[:, index] @ columns
        column = covariance / np.sqrt(variance[index] + noise)
        columns = np.vstack([columns, column])
        variance = np.maximum(variance - column**2, 1e-12)
        chosen.append(index)
    return chosen
