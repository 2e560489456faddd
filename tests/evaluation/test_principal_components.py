"""Principal components of the data as a baseline, against scikit-learn; explained variance; errors of features."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.metrics import r2_score

from fastrrae import AE, NetworkConfig, Normalisation, build_model
from fastrrae.evaluation import principal_components
from fastrrae.evaluation.principal_components import PrincipalComponents
from fastrrae.evaluation.reconstruction import ReconstructionSums, reconstruction_sums


@pytest.fixture
def samples():
    rng = np.random.default_rng(0)
    mixed = rng.standard_normal((300, 12)) * 0.6 ** np.arange(12) @ rng.standard_normal((12, 12)) + 5
    return {"train": mixed[:200].reshape(200, 4, 3), "test": mixed[200:].reshape(100, 4, 3)}


def test_it_is_what_scikit_learn_finds(samples):
    normalisation = Normalisation(1.0, 2.0)
    found = PrincipalComponents.fit(3, samples["train"], normalisation)
    assert found.samples == 200
    x = {name: normalisation.apply(values).reshape(len(values), -1) for name, values in samples.items()}
    reference = PCA(3).fit(x["train"].astype(np.float64))
    for name, values in x.items():
        expected = reference.inverse_transform(reference.transform(values.astype(np.float64)))
        error = found.error(samples[name])
        assert error.overall == pytest.approx(
            100 * np.linalg.norm(values - expected) / np.linalg.norm(values), rel=1e-4
        )
        assert error.explained_variance == pytest.approx(
            100 * r2_score(values, expected, multioutput="variance_weighted"), rel=1e-4
        )
        np.testing.assert_allclose(np.abs(found.codes(samples[name])), np.abs(reference.transform(values)), atol=1e-4)


def test_of_a_large_set_the_first_samples_determine_the_components(samples, monkeypatch):
    monkeypatch.setattr(principal_components, "MOST_VALUES", 50 * 12 + 5)
    whole, first = (
        PrincipalComponents.fit(3, train, Normalisation(0.0, 1.0))
        for train in (samples["train"], samples["train"][:50])
    )
    assert whole.samples == 50
    np.testing.assert_array_equal(whole.components, first.components)


def test_more_components_than_there_are(samples):
    found = PrincipalComponents.fit(100, samples["train"], Normalisation(0.0, 1.0))
    assert found.error(samples["train"]).overall < 1e-3


def test_constant_samples_have_no_variance_to_explain():
    x = np.full((10, 3), 2.0)
    error = ReconstructionSums([(x[:4], x[:4] + 1), (x[4:], x[4:] + 1)]).error()
    assert error.overall == pytest.approx(50)
    assert error.explained_variance is None


def test_each_feature_in_units_of_its_own_deviation(samples):
    model = build_model(AE(rank=2), (12,), network=NetworkConfig(encoder_widths=(8,), decoder_widths=(8,)))
    model.eval()
    x = samples["test"].reshape(100, 12).astype(np.float32)
    x[:, 4] = 7  # never varies
    sums = reconstruction_sums(model, x, Normalisation(0.0, 1.0))
    errors = sums.errors_by_feature()
    missed = np.sqrt(np.mean((np.asarray(model.reconstruct(x), np.float64) - x) ** 2, axis=0))
    varying = np.arange(12) != 4
    np.testing.assert_allclose(np.array(errors)[varying], 100 * missed[varying] / x.std(axis=0)[varying], rtol=1e-3)
    assert errors[4] == np.inf
    assert sums.error().explained_variance is not None
