"""The prior of a GMM-DAE, aligned with the clusters that an autoencoder has found before the prior counts.

The components of the prior are several standard deviations apart. With a prior that counts from the start, the first
steps decide which component a sample belongs to, when the network has learned nothing, and the choice stays. So the
autoencoder learns first, its codes are clustered, and an affine map takes the clusters to the centres of the prior.
"""

import warnings

import numpy as np

from .mixture_prior import MixturePrior

MOST_CODES = 10_000  # that the clusters are found in; the affine map is fitted to at most as many
_STARTS = 3  # of expectation maximisation


def align_prior(prior: MixturePrior, codes: np.ndarray, seed: int = 0) -> np.ndarray:
    """The affine map of `MixtureMatched` that takes the clusters of `codes` (count, rank) to the centres of `prior`."""
    if len(codes) > MOST_CODES:
        codes = codes[np.random.default_rng(seed).choice(len(codes), MOST_CODES, replace=False)]
    return fit_affine_map(codes, find_clusters(codes, prior.components, seed), prior)


def find_clusters(codes: np.ndarray, components: int, seed: int) -> np.ndarray:
    """The most likely component (count,) of each code, of a mixture of Gaussians with full covariances."""
    from sklearn.exceptions import ConvergenceWarning  # a second to import
    from sklearn.mixture import GaussianMixture
    from sklearn.preprocessing import StandardScaler

    mixture = GaussianMixture(min(components, len(codes)), n_init=_STARTS, random_state=seed, reg_covar=1e-4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the clusters found within its iterations are good enough
        return mixture.fit_predict(StandardScaler().fit_transform(np.asarray(codes, np.float64)))


def fit_affine_map(codes: np.ndarray, clusters: np.ndarray, prior: MixturePrior) -> np.ndarray:
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
