"""PCA and TruncatedSVD against those of scikit-learn, which compute by LAPACK."""

from functools import partial

import numpy as np
import pytest
import scipy.sparse
from sklearn import decomposition

from fastrrae import InputError
from fastrrae.sklearn import PCA, TruncatedSVD
from fastrrae_kernels import Exact, Randomized

TOLERANCE = {np.float32: 2e-5, np.float64: 1e-11}
ATTRIBUTES = ("components_", "singular_values_", "explained_variance_", "explained_variance_ratio_")


def spread(shape, dtype=np.float64):
    """A table whose singular values are apart, off zero."""
    rng = np.random.default_rng(0)
    return (rng.standard_normal(shape) * 0.7 ** np.arange(shape[1]) + 3).astype(dtype)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("shape", [(50, 8), (6, 30)])
@pytest.mark.parametrize("whiten", [False, True])
def test_pca(dtype, shape, whiten):
    x = spread(shape, dtype)
    ours, theirs = PCA(4, whiten=whiten).fit(x), decomposition.PCA(4, whiten=whiten, svd_solver="full").fit(x)
    close = partial(np.testing.assert_allclose, rtol=TOLERANCE[dtype], atol=10 * TOLERANCE[dtype])
    for name in (*ATTRIBUTES, "mean_"):
        assert getattr(ours, name).dtype == dtype
        close(getattr(ours, name), getattr(theirs, name))
    close(ours.transform(x), theirs.transform(x))
    close(ours.inverse_transform(ours.transform(x)), theirs.inverse_transform(theirs.transform(x)))


def test_all_components_by_default_bring_everything_back():
    x = spread((50, 8))
    model = PCA().fit(x)
    assert model.components_.shape == (8, 8)
    np.testing.assert_allclose(model.inverse_transform(model.transform(x)), x)
    assert model.score(x) == pytest.approx(1)


def test_the_score_of_the_training_set_is_the_sum_of_the_ratios():
    x = spread((50, 8))
    model = PCA(4).fit(x)
    assert model.score(x) == pytest.approx(model.explained_variance_ratio_.sum())


def test_components_that_do_not_vary_are_not_divided_by_zero():
    x = np.outer(np.arange(50.0), np.ones(8))
    assert np.isfinite(PCA(4, whiten=True).fit_transform(x)).all()
    assert PCA(4).fit(np.ones((50, 8))).explained_variance_ratio_.tolist() == [0] * 4


@pytest.mark.parametrize("kind", ["dense", "csr", "csc"])
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_truncated_svd(kind, dtype):
    rng = np.random.default_rng(0)
    x = np.where(rng.random((60, 20)) < 0.2, rng.random((60, 20)), 0).astype(dtype)
    given = x if kind == "dense" else scipy.sparse.coo_array(x).asformat(kind)
    ours = TruncatedSVD(3, method=Randomized(tolerance=1e-6) if kind != "dense" else None).fit(given)
    theirs = decomposition.TruncatedSVD(3, algorithm="arpack").fit(x)
    for name in ATTRIBUTES:
        assert getattr(ours, name).dtype == dtype
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), rtol=1e-4, atol=1e-4)
    assert isinstance(ours.transform(given), np.ndarray)
    dense = TruncatedSVD(3, method=Exact()).fit(x)
    assert ours.score(given) == pytest.approx(dense.score(x), abs=1e-5)


@pytest.mark.parametrize("estimator", [PCA(4), TruncatedSVD(4)])
def test_samples_are_drawn_from_the_mixture_of_the_coefficients(estimator):
    x = spread((50, 8))
    new = estimator.fit(x).sample(2000, random_state=0)
    assert new.shape == (2000, 8)
    np.testing.assert_allclose(new.mean(axis=0), x.mean(axis=0), atol=0.1)


@pytest.mark.parametrize("rank", [0, 9, 2.5, True])
def test_a_rank_that_cannot_be_is_refused(rank):
    with pytest.raises(InputError, match="`rank` must be an integer from 1 to min"):
        PCA(rank).fit(spread((50, 8)))
