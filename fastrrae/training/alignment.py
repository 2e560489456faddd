"""The prior of a GMM-DAE, aligned with the clusters that an autoencoder has found before the prior pulls.

Components are told apart by their coordinate alone, and a gap of several deviations lies between them: what a sample
belongs to is settled within the first steps, by a network that has learned nothing yet, and stays. So the autoencoder
learns first, its codes are clustered, and the coordinates of the prior are laid so that its centres meet the clusters.
"""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import StandardScaler

from ..models.priors import MixturePrior

MOST_CODES = 10_000  # that the clusters are found in; the chart is fitted to as many
_STARTS = 3  # of expectation maximisation


def align_prior(prior: MixturePrior, codes: np.ndarray, seed: int = 0) -> np.ndarray:
    """The chart of `MixtureMatched` that lays the centres of `prior` on the clusters of `codes` (count, rank)."""
    if len(codes) > MOST_CODES:
        codes = codes[np.random.default_rng(seed).choice(len(codes), MOST_CODES, replace=False)]
    return fit_chart(codes, find_clusters(codes, prior.components, seed), prior)


def find_clusters(codes: np.ndarray, components: int, seed: int) -> np.ndarray:
    """The most likely component (count,) of each code, of a mixture of Gaussians with full covariances."""
    mixture = GaussianMixture(min(components, len(codes)), n_init=_STARTS, random_state=seed, reg_covar=1e-4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # what was found within its iterations will do
        return mixture.fit_predict(StandardScaler().fit_transform(np.asarray(codes, np.float64)))


def fit_chart(codes: np.ndarray, clusters: np.ndarray, prior: MixturePrior) -> np.ndarray:
    """The affine map that takes clusters to the prior's centres as nearly as can be, (1 + rank, rank), offset first.

    Least squares on whitened codes: a matrix of rank components - 1 at most. The directions that it leaves out, or
    gives less, get the unit variance that the prior has within its components, so that the map can be inverted.
    """
    codes = np.asarray(codes, np.float64)
    mean = codes.mean(axis=0)
    variances, directions = np.linalg.eigh(np.atleast_2d(np.cov(codes, rowvar=False)))
    # A direction in which codes hardly differ is stretched no further than float32 can undo.
    whiten = directions / np.sqrt(np.maximum(variances, 1e-6 * max(variances[-1], 1e-12)))
    white = (codes - mean) @ whiten
    targets = prior.centres[clusters]
    regression = white.T @ (targets - targets.mean(axis=0)) / (len(codes) - 1)
    u, s, vt = np.linalg.svd(regression)
    matrix = whiten @ (u * np.maximum(s, 1)) @ vt
    return np.vstack([targets.mean(axis=0) - mean @ matrix, matrix])
