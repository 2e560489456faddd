"""What the fitted autoencoders give: coefficients, their decoding, explained variances, components, samples."""

import jax
import numpy as np
import pytest
from sklearn.metrics import r2_score
from sklearn.preprocessing import StandardScaler

from fastrrae import InputError, TrainingDiverged
from fastrrae.sklearn import PCA, RRAE, VRRAE


def restored(model, x):
    return model.inverse_transform(model.transform(x))


def test_shapes_types_and_the_coefficients_of_the_training_set(fitted, table):
    assert fitted.transform(table).shape == (100, 2)
    assert fitted.transform(table.astype(np.float32)).dtype == np.float32
    assert restored(fitted, table).shape == table.shape
    assert restored(fitted, table).dtype == np.float64
    assert fitted.components_.shape == (2, 6)
    assert fitted.loss_curve_.shape == (300,)
    assert fitted.loss_curve_[-50:].mean() < fitted.loss_curve_[:50].mean() / 2
    np.testing.assert_array_equal(fitted.transform(table), fitted.training_coefficients_)
    np.testing.assert_allclose(fitted.training_coefficients_.mean(axis=0), fitted.mean_coefficients_, rtol=1e-5)
    np.testing.assert_allclose(fitted.basis_ @ fitted.basis_.T, np.eye(2), atol=1e-6)


def test_a_curved_surface_is_described_better_than_by_as_many_principal_components(fitted, table):
    assert fitted.score(table) > PCA(rank=2).fit(StandardScaler().fit_transform(table)).score(
        StandardScaler().fit_transform(table)
    )


def test_the_score_is_the_explained_variance_of_features_that_count_alike(fitted, table):
    scaler = StandardScaler().fit(table)
    expected = r2_score(
        scaler.transform(table), scaler.transform(restored(fitted, table)), multioutput="variance_weighted"
    )
    assert fitted.score(table) == pytest.approx(expected, abs=1e-6)


def test_ratios_add_up_to_the_score_of_the_training_set(fitted, table):
    assert fitted.explained_variance_ratio_.sum() == pytest.approx(fitted.score(table), abs=1e-6)
    first = fitted.transform(table)
    first[:, 1] = fitted.mean_coefficients_[1]
    scaler = StandardScaler().fit(table)
    decoded = scaler.transform(fitted.inverse_transform(first))
    expected = r2_score(scaler.transform(table), decoded, multioutput="variance_weighted")
    assert fitted.explained_variance_ratio_[0] == pytest.approx(expected, abs=1e-5)


def test_components_are_the_slopes_of_the_decoding(fitted):
    middle, deviation = fitted.mean_coefficients_, fitted.training_coefficients_.std(axis=0)
    for number, component in enumerate(fitted.components_):
        step = np.eye(2)[number] * deviation
        above, below = fitted.inverse_transform([middle + step, middle - step])
        np.testing.assert_allclose((above - below) / (2 * deviation[number]), component, rtol=1e-4, atol=1e-5)


def test_samples_are_drawn_from_the_mixture_of_the_coefficients(fitted, table):
    new = fitted.sample(500, random_state=0)
    assert new.shape == (500, 6)
    np.testing.assert_array_equal(new, fitted.sample(500, random_state=0))
    assert not np.array_equal(new[:3], fitted.sample(3))
    np.testing.assert_allclose(new.mean(axis=0), table.mean(axis=0), atol=0.5)
    with pytest.raises(InputError, match="`n_samples`"):
        fitted.sample(0)


def test_a_new_fit_has_a_new_mixture(small, table):
    model = RRAE(random_state=0, **small).fit(table)
    before = model.density_
    assert model.fit(table[:50]).density_ is not before


@pytest.mark.parametrize("kind", [RRAE, VRRAE])
def test_the_seed_determines_the_fit(kind, small, table):
    first, second, other = (kind(random_state=seed, **small).fit(table).transform(table) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, second)
    assert not np.allclose(first, other)


def test_the_kl_term_draws_the_coefficients_to_a_standard_normal(small, table):
    loose, tight = (VRRAE(kl_weight=weight, random_state=0, **small).fit(table) for weight in (0.0, 1e3))
    assert np.mean(tight.training_coefficients_**2) < np.mean(loose.training_coefficients_**2)


def test_a_row_has_the_same_coefficients_whatever_comes_with_it(fitted, table):
    np.testing.assert_array_equal(fitted.transform(table[7:8]), fitted.transform(table)[7:8])
    many = np.tile(table, (6, 1))  # more than are processed at a time
    np.testing.assert_array_equal(fitted.transform(many), np.tile(fitted.transform(table), (6, 1)))


@pytest.mark.slow
def test_rows_can_be_images(table):
    images = np.tile(table, (1, 8))[:, :48]
    model = RRAE(
        rank=2, latent_size=4, sample_shape=(4, 4, 3), encoder_widths=(2,), decoder_widths=(2,), batch_size=8, steps=2
    )
    assert restored(model.fit(images), images).shape == images.shape
    assert model.components_.shape == (2, 48)


@pytest.mark.slow
def test_double_precision_of_jax_changes_nothing_but_rounding(fitted, table):
    with jax.enable_x64(True):
        again = RRAE(**fitted.get_params()).fit(table)
        np.testing.assert_allclose(again.score(table), fitted.score(table), atol=2e-3)
        np.testing.assert_allclose(fitted.transform(table), fitted.training_coefficients_, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"rank": 0}, "`rank` must be an integer, at least 1; got 0"),
        ({"rank": 2.5}, "`rank` must be an integer"),
        ({"rank": 9}, "`rank` must be at most `latent_size` = 8; got 9"),
        ({"rank": 5, "batch_size": 4}, "`rank` must be at most min"),
        ({"latent_size": 0}, "`latent_size` must be an integer, at least 1"),
        ({"steps": 0}, "`steps` must be"),
        ({"batch_size": None}, "`batch_size` must be"),
        ({"learning_rate": -1}, "`learning_rate` must be a number, above 0; got -1"),
        ({"optimiser": "sgd"}, "`optimiser` must be one of"),
        ({"optimiser": "own"}, "`optimiser`"),
        ({"reconstruction": "own"}, "`reconstruction`"),
        ({"encoder_widths": ()}, "`encoder_widths` must have at least one width"),
        ({"network": "convolutional"}, "convolutional network needs samples of shape"),
        ({"normalise": "log"}, "`normalise` must be one of"),
        ({"sample_shape": (2, 2)}, "`sample_shape` must be .* n_features = 6; got"),
        ({"kl_weight": -1.0}, "`kl_weight` must be"),
        ({"mean": "quadratic"}, "`mean` must be one of"),
    ],
)
def test_parameters_that_cannot_be_are_named(parameters, message, small, table):
    with pytest.raises(ValueError, match=message):
        VRRAE(**small | parameters).fit(table)


def test_other_bad_input_is_refused(small, table, fitted):
    with pytest.raises(InputError, match="nothing to scale"):
        RRAE(**small).fit(np.ones((20, 6)))
    with pytest.raises(InputError, match="`X` must have 2 coefficients per sample"):
        fitted.inverse_transform(np.zeros((3, 4)))
    with pytest.raises(InputError, match="`mixture_components` must be"):
        RRAE(mixture_components=0, **small).fit(table).sample()
    with pytest.raises(TrainingDiverged, match="`learning_rate`"):
        RRAE(**small | {"learning_rate": 1e30}).fit(table)


@pytest.mark.parametrize("loss", ["cross-entropy", "gaussian"])
def test_likelihoods_are_refused(loss):
    with pytest.raises(InputError, match=rf"`reconstruction` must be relative or mse here, .*; got {loss}"):
        RRAE(rank=2, reconstruction=loss).fit(np.random.default_rng(0).standard_normal((40, 6)))
