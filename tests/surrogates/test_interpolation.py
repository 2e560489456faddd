"""Interpolations: what they reproduce exactly, what they say of doubt, and what they refuse."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF

from fastrrae import InputError
from fastrrae.surrogates import GaussianProcess, PiecewiseLinear, RadialBasis, Regressor
from fastrrae.surrogates import radial_basis as radial_basis_module
from fastrrae.surrogates.interpolant import interpolate


def scattered(count=40, parameters=2, seed=0):
    return np.random.default_rng(seed).uniform(size=(count, parameters))


def smooth(points):
    return np.stack([np.sin(3 * points.sum(axis=1)), points[:, 0] ** 2 - points[:, -1]], axis=1)


@pytest.mark.parametrize("parameters", [1, 2, 3])
@pytest.mark.parametrize("method", [RadialBasis(), RadialBasis("linear", 0), RadialBasis(degree=2), PiecewiseLinear()])
def test_training_coefficients_are_reproduced(method, parameters):
    points = scattered(parameters=parameters)
    np.testing.assert_allclose(interpolate(method.fit(points, smooth(points)), points), smooth(points), atol=1e-11)


@pytest.mark.parametrize(
    ("method", "powers"),
    [(RadialBasis("linear", 0), 0), (RadialBasis(), 1), (RadialBasis(degree=3), 3), (PiecewiseLinear(), 1)],
)
def test_polynomials_are_reproduced_everywhere(method, powers):
    points, others = scattered(), scattered(seed=1) * 3 - 1  # also outside of the training points

    def polynomial(p):
        x, y = p.T
        return np.stack([2 + 0 * x + (powers > 0) * (x - 3 * y) + (powers > 2) * (x**3 - x * y**2 + y**2)], axis=1)

    found = interpolate(method.fit(points, polynomial(points)), others)
    np.testing.assert_allclose(found, polynomial(others), atol=1e-9)


def test_radial_basis_functions_are_those_of_scipy():
    from scipy.interpolate import RBFInterpolator

    points, others = scattered(), scattered(seed=1)
    for method in (RadialBasis(), RadialBasis("linear", 1, 0.1), RadialBasis("cubic", 2, 1e-3)):
        reference = RBFInterpolator(
            points, smooth(points), kernel=method.kernel, degree=method.degree, smoothing=method.smoothing
        )
        np.testing.assert_allclose(
            interpolate(method.fit(points, smooth(points)), others), reference(others), atol=1e-8
        )


def test_linear_interpolation_is_that_of_scipy():
    from scipy.interpolate import LinearNDInterpolator

    points, others = scattered(), scattered(seed=1)
    reference = LinearNDInterpolator(points, smooth(points))(others)
    inside = np.isfinite(reference).all(axis=1)
    assert inside.sum() > 20
    found = interpolate(PiecewiseLinear().fit(points, smooth(points)), others)
    np.testing.assert_allclose(found[inside], reference[inside], atol=1e-12)


@pytest.mark.parametrize("method", [RadialBasis(), PiecewiseLinear()])
def test_samples_with_the_same_parameters_count_as_one(method):
    points = scattered(20)
    doubled = np.concatenate([points, points[:3], points[:3] + 1e-9])
    values = np.concatenate([smooth(points), smooth(points[:3]) + 3, smooth(points[:3]) - 3])
    found = interpolate(method.fit(doubled, values), points)
    np.testing.assert_allclose(found, smooth(points), atol=1e-6)


def test_a_system_that_is_singular_has_a_least_squares_solution(monkeypatch):
    def refuse(system, right):
        raise np.linalg.LinAlgError

    monkeypatch.setattr(np.linalg, "solve", refuse)
    points = scattered(20)
    np.testing.assert_allclose(
        interpolate(RadialBasis().fit(points, smooth(points)), points), smooth(points), atol=1e-9
    )


def test_a_parameter_that_does_not_vary_is_no_obstacle():
    points = scattered()
    flat = np.concatenate([points, np.zeros((len(points), 1))], axis=1)
    found = interpolate(RadialBasis().fit(flat, smooth(points)), flat)
    np.testing.assert_allclose(found, smooth(points), atol=1e-11)
    with pytest.raises(InputError, match="span all 3 parameters"):
        PiecewiseLinear().fit(flat, smooth(points))


def test_smoothing_lessens_noise():
    points, noise = scattered(100), np.random.default_rng(1).standard_normal((100, 2))
    noisy = smooth(points) + 0.1 * noise
    errors = [
        np.linalg.norm(interpolate(RadialBasis(smoothing=s).fit(points, noisy), points) - smooth(points))
        for s in (0.0, 0.01)
    ]
    assert errors[1] < 0.8 * errors[0]


@pytest.fixture(scope="module")
def process():
    points = scattered(25)
    return points, GaussianProcess().fit(points, smooth(points))


def test_a_gaussian_process_is_that_of_scikit_learn(process):
    """Its own kernel, without a search, gives the same mean and deviation."""
    points, found = process
    others = scattered(10, seed=1)
    deviations = interpolate(found, others, deviation=True)
    means = interpolate(found, others)
    for k, values in enumerate(smooth(points).T):
        kernel = found.amplitudes[k] * RBF(found.lengths[k])
        # The diagonal of the factor tells the noise that was found.
        noise = (found.factors[k] @ found.factors[k].T)[0, 0] - found.amplitudes[k]
        reference = GaussianProcessRegressor(kernel, alpha=noise, optimizer=None)  # pyright: ignore[reportArgumentType]
        reference.fit(points, (values - values.mean()) / values.std())
        mean, deviation = map(np.asarray, reference.predict(others, return_std=True))
        np.testing.assert_allclose(means[:, k], values.mean() + values.std() * mean, atol=1e-5)
        np.testing.assert_allclose(deviations[:, k], values.std() * deviation, atol=1e-6 + 1e-3 * deviation.max())


def test_a_gaussian_process_doubts_what_is_far(process):
    points, found = process
    near, far = (interpolate(found, p, deviation=True) for p in (points, points + 3))
    assert (near.max(axis=0) < 0.1 * far.min(axis=0)).all()
    assert np.abs(interpolate(found, points) - smooth(points)).max() < 1e-2


@partial(jax.jit, static_argnums=2)
def values_and_derivatives(found, p, step):
    """Derivatives by JAX in both modes, and central differences."""

    def at(p):
        return found(p[None])[0]

    ends = jax.vmap(at)(p + step * jnp.concatenate([jnp.eye(len(p)), -jnp.eye(len(p))]))
    return jax.jacrev(at)(p), jax.jacfwd(at)(p), ((ends[: len(p)] - ends[len(p) :]) / (2 * step)).T


@pytest.mark.parametrize(
    ("method", "step"),
    # The weights of the process nearly cancel, which leaves a small difference few digits.
    [(RadialBasis(), 1e-5), (RadialBasis("linear", 1), 1e-5), (PiecewiseLinear(), 1e-5), (GaussianProcess(), 1e-3)],
)
def test_derivatives_are_those_of_finite_differences(method, step, process, float64):
    points = scattered(25)
    found = process[1] if isinstance(method, GaussianProcess) else method.fit(points, smooth(points))
    reverse, forward, differences = values_and_derivatives(found, jnp.array([0.41, 0.57]), step)
    np.testing.assert_allclose(reverse, differences, rtol=step, atol=step)
    np.testing.assert_allclose(forward, reverse, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("method", [RadialBasis(degree=2), RadialBasis("linear", 0)])
def test_derivatives_at_a_training_sample_at_the_corner_are_finite(method, float64):
    points = np.concatenate([[[0.0, 0.0]], scattered(25)])
    reverse, _, differences = values_and_derivatives(method.fit(points, smooth(points)), jnp.zeros(2), 1e-5)
    assert jnp.isfinite(reverse).all()
    if method.kernel == "cubic":
        np.testing.assert_allclose(reverse, differences, rtol=1e-4, atol=1e-4)


def test_regressors_of_scikit_learn():
    points, values = scattered(), smooth(scattered())
    forest = Regressor(RandomForestRegressor(5, random_state=0)).fit(points, values)
    assert not forest.differentiable
    assert not forest.has_deviation
    expected = RandomForestRegressor(5, random_state=0).fit(points, values[:, 1]).predict(points)
    np.testing.assert_array_equal(interpolate(forest, points)[:, 1], expected)
    regressor = GaussianProcessRegressor(RBF(0.5), alpha=1e-6, optimizer=None)  # pyright: ignore[reportArgumentType]
    process = Regressor(regressor).fit(points, values)
    assert interpolate(process, points, deviation=True).shape == (40, 2)
    with pytest.raises(InputError, match="must be rbf, linear, gp, or a regressor of scikit-learn; got 'knn'"):
        Regressor("knn").fit(points, values)
    with pytest.raises(InputError, match="a regressor of scikit-learn"):
        Regressor(RandomForestRegressor).fit(points, values)
    with pytest.raises(InputError, match="`method` RandomForestRegressor could not be fitted: "):
        Regressor(RandomForestRegressor(-1)).fit(points, values)


def test_options_and_sizes_that_are_refused(monkeypatch):
    refused: list[tuple[dict[str, Any], str]] = [
        ({"kernel": "quintic"}, "`kernel` must be one of linear, cubic; got 'quintic'"),
        ({"degree": 0}, "`degree` must be at least 1 for the cubic kernel; got 0"),
        ({"smoothing": -1.0}, "`smoothing` must not be negative"),
        ({"smoothing": float("nan")}, "`smoothing` must not be negative"),
    ]
    for options, message in refused:
        with pytest.raises(InputError, match=message):
            RadialBasis(**options)
    monkeypatch.setattr(radial_basis_module, "MOST_SAMPLES", 30)
    with pytest.raises(InputError, match="at most 30 training samples; got 40"):
        RadialBasis().fit(scattered(), smooth(scattered()))
    with pytest.raises(InputError, match="at most 5 parameters; got 6"):
        PiecewiseLinear().fit(scattered(parameters=6), smooth(scattered()))
    with pytest.raises(InputError, match="needs more than 2 training samples that differ in them; got 2"):
        PiecewiseLinear().fit(scattered(2), smooth(scattered(2)))
    monkeypatch.setattr("fastrrae.surrogates.gaussian_process.MOST_SAMPLES", 30)
    with pytest.raises(InputError, match="at most 30 training samples; got 40"):
        GaussianProcess().fit(scattered(), smooth(scattered()))
