"""Surrogates of a trained run: predictions, deviations, derivatives, the inverse problem, and what is refused."""

import dataclasses
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from sklearn.linear_model import LinearRegression

from fastrrae import AE, Dataset, InputError, build_model, load_dataset, load_run
from fastrrae.data import Normalisation
from fastrrae.surrogates import ExtrapolationWarning, GaussianProcess, RadialBasis, Surrogate
from fastrrae.surrogates.interpolant import interpolate
from fastrrae.surrogates.parameter_space import ParameterSpace

from .conftest import waves

INSIDE = np.array([[2.0, 0.5], [1.7, 0.3], [2.2, 0.7]])


@pytest.fixture(scope="module")
def run(waves_run):
    return load_run(waves_run)


@pytest.fixture(scope="module")
def surrogate(run):
    return run.surrogate()


def test_a_run_keeps_the_parameters_of_its_training_samples(run, waves_data):
    dataset = load_dataset(run.config.data)
    np.testing.assert_array_equal(run.training_parameters, dataset.parameters["train"])
    assert run.parameter_names == ("frequency", "phase")
    np.testing.assert_allclose(run.coefficients(dataset.train[:5]), run.training_coefficients[:5], atol=1e-4)


def test_training_samples_come_back_as_their_reconstructions(run, surrogate):
    found = surrogate.predict(run.training_parameters)
    np.testing.assert_allclose(found, run.decode(run.training_coefficients), atol=1e-3)


@pytest.mark.parametrize("method", ["rbf", "linear", RadialBasis(degree=2), LinearRegression()])
def test_fields_of_unseen_parameters(run, method):
    found = run.surrogate(method).predict(INSIDE)
    assert found.shape == (3, 24)
    limit = 0.6 if isinstance(method, LinearRegression) else 0.2  # linear regression is a poor interpolation
    assert np.linalg.norm(found - waves(INSIDE)) < limit * np.linalg.norm(waves(INSIDE))


def test_deviations_grow_away_from_the_training_set(run):
    surrogate = run.surrogate(GaussianProcess())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExtrapolationWarning)
        fields, near = surrogate.predict(INSIDE, return_std=True)
        _, far = surrogate.predict(INSIDE + np.array([4.0, 2.0]), return_std=True)
    assert fields.shape == near.shape == (3, 24)
    assert near.mean() < 0.5 * far.mean()
    np.testing.assert_array_equal(near, surrogate.predict(INSIDE, return_std=True, seed=0)[1])


def test_the_deviation_is_carried_through_the_decoder(run):
    """Of a decoder that is linear, it is known: the root of sum_k (deviation_k * row_k)^2."""
    model = build_model(AE(rank=2), (24,))
    weights = np.random.default_rng(0).standard_normal((2, 24)).astype(np.float32)
    model.decoder = Linear(weights)
    space = ParameterSpace((), run.training_parameters)
    surrogate = Surrogate.fit(space, run.training_coefficients, model, Normalisation(0.0, 2.0), "gp")
    fields, found = surrogate.predict(INSIDE, return_std=True, draws=2000)
    deviations = interpolate(surrogate.interpolant, space.scale(INSIDE), deviation=True)
    np.testing.assert_allclose(found, 2 * np.sqrt(deviations**2 @ weights**2), rtol=0.1)
    np.testing.assert_allclose(fields, 2 * surrogate.coefficients(INSIDE) @ weights, rtol=1e-4, atol=1e-4)


class Linear(nnx.Module):
    def __init__(self, weights):
        self.weights = nnx.Param(jnp.asarray(weights))

    def __call__(self, z):
        return z @ self.weights[...]


def in_float64(surrogate):
    """The same with weights in float64, for finite differences."""
    graph, variables = nnx.split(surrogate.model)
    widened = jax.tree.map(lambda x: x.astype(jnp.float64) if x.dtype == jnp.float32 else x, variables)
    return dataclasses.replace(surrogate, model=nnx.merge(graph, widened))


def difference(function, p, step=1e-6):
    columns = [(function(p + step * e) - function(p - step * e)) / (2 * step) for e in np.eye(len(p))]
    return np.stack(columns, axis=-1)


def test_derivatives_of_a_field_are_those_of_finite_differences(surrogate, float64):
    wide = in_float64(surrogate)
    field, p = wide.as_jax_function(), jnp.asarray(INSIDE[1])
    expected = difference(jax.jit(field), p)
    np.testing.assert_allclose(jax.jacrev(field)(p), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(wide.jacobian(p)[0], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_derivatives_through_convolutions(float64):
    """Their own derivative is in reverse mode alone; `jacobian` does without forward mode."""
    points = np.random.default_rng(0).uniform(size=(12, 3))
    model = build_model(AE(rank=2), (8, 8, 1))
    coefficients = np.stack([np.sin(points.sum(axis=1)), points[:, 0]], axis=1)
    surrogate = in_float64(Surrogate.fit(ParameterSpace((), points), coefficients, model, Normalisation(1.0, 3.0)))
    p = jnp.array([0.4, 0.5, 0.6])
    found = surrogate.jacobian(np.stack([p, p + 0.1]))
    assert found.shape == (2, 8, 8, 1, 3)
    np.testing.assert_allclose(found[0], difference(jax.jit(surrogate.as_jax_function()), p), rtol=1e-4, atol=1e-7)


def test_the_function_is_the_prediction_compiled_and_stacked(surrogate):
    field = surrogate.as_jax_function()
    found = jax.jit(jax.vmap(field))(jnp.asarray(INSIDE, jnp.float32))
    np.testing.assert_allclose(found, surrogate.predict(INSIDE), atol=1e-3)
    design = jax.grad(lambda p: jnp.sum(field(p) ** 2))(jnp.asarray(INSIDE[0], jnp.float32))
    np.testing.assert_allclose(
        design, 2 * surrogate.jacobian(INSIDE[0])[0].T @ surrogate.predict(INSIDE[0])[0], rtol=1e-2, atol=1e-2
    )


def test_parameters_of_its_own_fields_are_recovered(surrogate):
    """Also with noise; the deviation that is told is about what the noise does."""
    clean = surrogate.predict(INSIDE[:1])[0]
    found = surrogate.recover(clean)
    np.testing.assert_allclose(found.parameters, INSIDE[0], atol=2e-3)
    assert found.residual < 0.1
    np.testing.assert_allclose(found.field, clean, atol=1e-2)
    rng = np.random.default_rng(0)
    noise = 0.1 * np.linalg.norm(clean) * rng.standard_normal((8, 24)) / 24**0.5
    noisy = [surrogate.recover(clean + n) for n in noise]
    errors = np.array([one.parameters - INSIDE[0] for one in noisy])
    told = np.mean([one.deviation for one in noisy], axis=0)
    assert (np.sqrt((errors**2).mean(axis=0)) < 2.5 * told).all()
    assert (told < 6 * np.sqrt((errors**2).mean(axis=0))).all()
    assert all(5 < one.residual < 15 for one in noisy)


def test_recovered_parameters_stay_within_their_ranges(surrogate):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExtrapolationWarning)
        outside = surrogate.predict([[3.6, 1.4]])[0]
    found = surrogate.recover(outside, starts=1).parameters
    assert (found >= surrogate.space.low).all()
    assert (found <= surrogate.space.high).all()


def test_extrapolation_is_warned_of(surrogate):
    with pytest.warns(ExtrapolationWarning, match=r"row 1\).*frequency beyond"):
        surrogate.predict([[2, 0.5], [9, 0.5]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        surrogate.predict(INSIDE)


def test_what_is_refused(run, surrogate):
    for call, message in (
        (lambda: run.surrogate("nearest"), "`method` must be one of rbf, linear, gp, or a regressor"),
        (lambda: run.surrogate(3), "`method` must be rbf, linear, gp, or a regressor of scikit-learn; got 3"),
        (lambda: surrogate.predict([[1, 2, 3]]), r"`parameters` must have shape \(count, 2\), for frequency, phase"),
        (lambda: surrogate.predict(INSIDE, return_std=True), "`return_std` needs a method with a standard deviation"),
        (lambda: run.surrogate(LinearRegression()).as_jax_function(), "for gradients; a regressor of scikit-learn has"),
        (lambda: run.surrogate(LinearRegression()).recover(np.zeros(24)), "for gradients"),
        (lambda: surrogate.recover(np.zeros(23)), r"`field` must have shape \(24,\); got \(23,\)"),
        (lambda: surrogate.recover(np.full(24, np.nan)), "`field` must be finite"),
        (lambda: surrogate.recover(np.zeros(24), starts=0), "`starts` must be at least 1"),
        (lambda: run.surrogate(parameters=np.zeros((3, 2))), "a row for each of 64 training samples; got 3"),
    ):
        with pytest.raises(InputError, match=message):
            call()
    with pytest.raises(InputError, match="`draws` must be at least 2"):
        run.surrogate("gp").predict(INSIDE, return_std=True, draws=1)


def test_parameters_can_be_given(run):
    """As a run of an earlier version needs it, which kept none."""
    earlier = dataclasses.replace(run, training_parameters=None, parameter_names=())
    with pytest.raises(InputError, match="a surrogate needs the parameters of the training samples"):
        earlier.surrogate()
    expected = run.surrogate().predict(INSIDE)
    np.testing.assert_array_equal(earlier.surrogate(parameters=run.training_parameters).predict(INSIDE), expected)
    from_data = earlier.surrogate(parameters=load_dataset(run.config.data))
    np.testing.assert_array_equal(from_data.predict(INSIDE), expected)
    assert from_data.parameter_names == ("frequency", "phase")
    with pytest.raises(InputError, match="the data is not that of the run"):
        earlier.surrogate(parameters=Dataset.from_arrays(np.random.default_rng(0).standard_normal((30, 24))))
