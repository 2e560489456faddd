"""The checks of scikit-learn pass, without exceptions."""

import pytest
from sklearn.utils.estimator_checks import check_estimator

from fastrrae.sklearn import PCA, RRAE, VRRAE, TruncatedSVD

# Every number of features that the checks use compiles a program: small networks keep that short.
SMALL = {"latent_size": 4, "encoder_widths": (4,), "decoder_widths": (4,), "batch_size": 8, "steps": 4}


@pytest.mark.parametrize(
    "estimator",
    [pytest.param(RRAE(**SMALL), marks=pytest.mark.slow), VRRAE(**SMALL), PCA(1, whiten=True), TruncatedSVD(1)],
)
def test_the_checks_of_scikit_learn(estimator):
    check_estimator(estimator)


@pytest.mark.slow
@pytest.mark.parametrize("estimator", [RRAE(steps=20), VRRAE(steps=20), PCA()])
def test_the_checks_with_default_networks_and_ranks(estimator):
    check_estimator(estimator)
