"""The linear counterparts of the autoencoders: `PCA` and `TruncatedSVD`, by the truncated SVD of `fastrrae_kernels`."""

from functools import partial
from typing import Any, Self, cast

import jax
import numpy as np
import scipy.sparse
from jax import Array
from jax.experimental.sparse import BCOO
from sklearn.utils.extmath import svd_flip
from sklearn.utils.sparsefuncs import mean_variance_axis
from sklearn.utils.validation import validate_data

from fastrrae_kernels import Auto, Randomized, sparse, truncated_svd

from ..errors import InputError
from .dimension_reduction import FLOATS, DimensionReduction


class PCA(DimensionReduction):
    """Principal component analysis, computed on JAX's default device.

    The samples are centred, not scaled: put a `StandardScaler` before it to compare it with an autoencoder, which
    normalises each feature. The SVD is that of `fastrrae_kernels`, in the type of the samples (float32 or float64).

    Args:
        rank: components, at most n_samples and n_features; by default as many as there can be.
        whiten: scale coefficients to unit variance.
        method: a method of `fastrrae_kernels`, such as `Randomized()` for very large tables; by default the fastest
            exact one.
        mixture_components: Gaussians in the mixture that `sample` draws from.

    Attributes:
        components_: (rank, n_features), orthonormal rows; the largest entry of each is positive.
        mean_: (n_features,).
        singular_values_: (rank,), of the centred samples.
        explained_variance_: (rank,), of the coefficients, with n_samples - 1 degrees of freedom.
        explained_variance_ratio_: (rank,), shares of the variance of the samples.
        training_coefficients_: (n_samples, rank).
        density_: the mixture that `sample` draws from, fitted on first use.

    Example:
        >>> make_pipeline(StandardScaler(), PCA(rank=8)).fit(x).score(x)  # compare with RRAE(rank=8)
    """

    def __init__(
        self,
        rank: int | None = None,
        *,
        whiten: bool = False,
        method: Any = None,
        mixture_components: int = 10,
    ):
        self.rank = rank
        self.whiten = whiten
        self.method = method
        self.mixture_components = mixture_components

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit on samples `X` (n_samples, n_features); `y` is ignored.

        Raises:
            InputError: `rank` does not fit the samples (a ValueError).
        """
        X = validate_data(self, X, dtype=FLOATS, ensure_min_samples=2)
        rank = _checked_rank(self.rank, X.shape)
        self.mean_ = X.mean(axis=0, dtype=np.float64).astype(X.dtype)
        centred = X - self.mean_
        s, self.components_ = _leading_triplets(centred, rank, self.method)
        self.singular_values_ = s
        self.explained_variance_ = s**2 / (len(X) - 1)
        total = np.sum(np.square(centred), dtype=np.float64) / (len(X) - 1)
        self.explained_variance_ratio_ = _shares(self.explained_variance_, total)
        self.training_coefficients_ = self._encode(X)
        return self._forget_density()

    def _encode(self, X: np.ndarray) -> np.ndarray:
        coefficients = (X - self.mean_.astype(X.dtype)) @ self.components_.T.astype(X.dtype)
        return coefficients / self._deviations(X.dtype) if self.whiten else coefficients

    def _decode(self, coefficients: np.ndarray) -> np.ndarray:
        dtype = coefficients.dtype
        coefficients = coefficients * self._deviations(dtype) if self.whiten else coefficients
        return coefficients @ self.components_.astype(dtype) + self.mean_.astype(dtype)

    def _deviations(self, dtype: Any) -> np.ndarray:
        """Of the coefficients; not zero where there is no variance to divide by."""
        deviations = np.sqrt(self.explained_variance_)
        return np.maximum(deviations, np.finfo(self.components_.dtype).eps).astype(dtype)


class TruncatedSVD(DimensionReduction):
    """Linear coefficients without centring, computed on JAX's default device: for sparse tables, or ones with a zero.

    The interface is that of `PCA`. A sparse table stays sparse while it is decomposed, by `Randomized()`.

    Args:
        rank: components, at most n_samples and n_features.
        method: a method of `fastrrae_kernels`; by default the fastest exact one, and `Randomized()` for sparse tables.
        mixture_components: Gaussians in the mixture that `sample` draws from.

    Attributes:
        components_: (rank, n_features), orthonormal rows; the largest entry of each is positive.
        singular_values_: (rank,).
        explained_variance_: (rank,), of the coefficients.
        explained_variance_ratio_: (rank,), shares of the variance of the samples.
        training_coefficients_: (n_samples, rank).
        density_: the mixture that `sample` draws from, fitted on first use.

    Example:
        >>> TruncatedSVD(rank=50).fit_transform(scipy.sparse.random(10_000, 2000, 0.01, format="csr")).shape
        (10000, 50)
    """

    def __init__(self, rank: int = 2, *, method: Any = None, mixture_components: int = 10):
        self.rank = rank
        self.method = method
        self.mixture_components = mixture_components

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit on samples `X` (n_samples, n_features), an array or a sparse matrix; `y` is ignored.

        Raises:
            InputError: `rank` does not fit the samples (a ValueError).
        """
        X = validate_data(self, X, dtype=FLOATS, ensure_min_samples=2, accept_sparse="csr")
        rank = _checked_rank(self.rank, X.shape)
        self.singular_values_, self.components_ = _leading_triplets(X, rank, self.method)
        self.training_coefficients_ = self._encode(X)
        self.explained_variance_ = self.training_coefficients_.var(axis=0)
        self.explained_variance_ratio_ = _shares(self.explained_variance_, _total_variance(X))
        return self._forget_density()

    def _encode(self, X: Any) -> np.ndarray:
        return np.asarray(X @ self.components_.T.astype(X.dtype))

    def _decode(self, coefficients: np.ndarray) -> np.ndarray:
        return coefficients @ self.components_.astype(coefficients.dtype)

    def _in_model_units(self, X: Any) -> np.ndarray:
        return X.toarray() if scipy.sparse.issparse(X) else X

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _checked_rank(rank: Any, shape: tuple[int, int]) -> int:
    most = min(shape)
    if rank is None:
        return most
    if not isinstance(rank, int | np.integer) or isinstance(rank, bool) or not 1 <= rank <= most:
        raise InputError(
            f"`rank` must be an integer from 1 to min(n_samples={shape[0]}, n_features={shape[1]}) = {most}; got "
            f"{rank!r}"
        )
    return int(rank)


def _total_variance(x: Any) -> float:
    """Over all features of samples `x`, an array or a sparse matrix."""
    if not scipy.sparse.issparse(x):
        return float(x.var(axis=0, dtype=np.float64).sum())
    _, variances = cast(Any, mean_variance_axis(x, axis=0))
    return float(variances.sum(dtype=np.float64))


def _shares(variances: np.ndarray, total: float) -> np.ndarray:
    """Of the whole variance; zero where there is none."""
    return variances / variances.dtype.type(total) if total > 0 else np.zeros_like(variances)


def _leading_triplets(x: Any, rank: int, method: Any) -> tuple[np.ndarray, np.ndarray]:
    """The leading singular values (rank,) and right singular vectors (rank, n_features), with settled signs.

    Rows of zeros are added, which changes neither: tables with slightly different numbers of rows, such as the folds
    of a cross-validation, then share a compiled program.
    """
    rows, features = _rounded_up(x.shape[0]), x.shape[1]
    with jax.enable_x64(bool(x.dtype == np.float64)):
        if scipy.sparse.issparse(x):
            s, vt = _decompose_sparse(*_entries(x), (rows, features), rank, method or Randomized())
        else:
            filled = np.zeros((rows, features), x.dtype)
            filled[: len(x)] = x
            s, vt = _decompose(filled, rank, method or Auto())
        vt: Any = svd_flip(None, np.array(vt), u_based_decision=False)[1]
        return np.array(s), vt


@partial(jax.jit, static_argnums=(1, 2))
def _decompose(x: Array, rank: int, method: Any) -> tuple[Array, Array]:
    svd = truncated_svd(x, rank, method=method)
    return svd.s, svd.vt


@partial(jax.jit, static_argnums=(2, 3, 4))
def _decompose_sparse(
    entries: Array, places: Array, shape: tuple[int, int], rank: int, method: Any
) -> tuple[Array, Array]:
    svd = truncated_svd(sparse(BCOO((entries, places), shape=shape)), rank, method=method)
    return svd.s, svd.vt


def _entries(x: Any) -> tuple[np.ndarray, np.ndarray]:
    """The entries (count,) of a sparse matrix and their places (count, 2), with zeros added to a rounded count."""
    x = x.tocoo()
    missing = _rounded_up(x.nnz) - x.nnz
    return np.pad(x.data, (0, missing)), np.pad(np.stack([x.row, x.col], axis=1), ((0, missing), (0, 0)))


def _rounded_up(count: int) -> int:
    """To three significant bits: at most a quarter more."""
    unit = 1 << max(count.bit_length() - 3, 0)
    return -(-count // unit) * unit
