"""PCA and TruncatedSVD against those of scikit-learn, which compute by LAPACK."""

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
    close = {"rtol": TOLERANCE[dtype], "atol": 10 * TOLERANCE[dtype]}
    for name in (*ATTRIBUTES, "mean_"):
        assert getattr(ours, name).dtype == dtype
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), **close)
    np.testing.assert_allclose(ours.transform(x), theirs.transform(x), **close)
    restored = theirs.inverse_transform(theirs.transform(x))
    np.testing.assert_allclose(ours.inverse_transform(ours.transform(x)), restored, **close)


def test_all_components_by_default_bring_everything_back():
    x = spread((20, 5))
    model = PCA().fit(x)
    assert model.components_.shape == (5, 5)
    np.testing.assert_allclose(model.inverse_transform(model.transform(x)), x)
    assert model.score(x) == pytest.approx(1)


def test_the_score_of_the_training_set_is_the_sum_of_the_ratios():
    x = spread((50, 8))
    model = PCA(3).fit(x)
    assert model.score(x) == pytest.approx(model.explained_variance_ratio_.sum())


def test_components_that_do_not_vary_are_not_divided_by_zero():
    x = np.outer(np.arange(10.0), np.ones(4))
    assert np.isfinite(PCA(3, whiten=True).fit_transform(x)).all()
    assert PCA(2).fit(np.ones((5, 3))).explained_variance_ratio_.tolist() == [0, 0]


@pytest.mark.parametrize("kind", ["dense", "csr", "csc"])
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_truncated_svd(kind, dtype):
    x = scipy.sparse.random_array((60, 20), density=0.2, random_state=0, dtype=dtype)
    given = x.toarray() if kind == "dense" else x.asformat(kind)
    ours = TruncatedSVD(3, method=Randomized(tolerance=1e-6) if kind != "dense" else None).fit(given)
    theirs = decomposition.TruncatedSVD(3, algorithm="arpack").fit(x)
    for name in ATTRIBUTES:
        assert getattr(ours, name).dtype == dtype
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), rtol=1e-4, atol=1e-4)
    assert isinstance(ours.transform(given), np.ndarray)
    dense = TruncatedSVD(3, method=Exact()).fit(x.toarray())
    assert ours.score(given) == pytest.approx(dense.score(x.toarray()), abs=1e-5)


@pytest.mark.parametrize("estimator", [PCA(3), TruncatedSVD(3)])
def test_samples_are_drawn_from_the_mixture_of_the_coefficients(estimator):
    x = spread((200, 8))
    new = estimator.fit(x).sample(2000, random_state=0)
    assert new.shape == (2000, 8)
    np.testing.assert_allclose(new.mean(axis=0), x.mean(axis=0), atol=0.1)


@pytest.mark.parametrize("rank", [0, 9, 2.5, True])
def test_a_rank_that_cannot_be_is_refused(rank):
    with pytest.raises(InputError, match="`rank` must be an integer from 1 to min"):
        PCA(rank).fit(spread((50, 8)))
