"""A flow fitted on coefficients: what one Gaussian cannot draw, its density, and the held-out choice."""

import jax.numpy as jnp
import numpy as np
import pytest

from fastrrae.densities import Flow, MultivariateNormal, SecondStage, flow, second_stage
from fastrrae.fit import fit


def two_moons(count, seed=0):
    """Points on two half circles, in units of 100 along the second axis, shifted."""
    rng = np.random.default_rng(seed)
    angle, side = rng.uniform(0, np.pi, count), rng.choice([-1, 1], count)
    points = np.stack([side * (np.cos(angle) - 0.5), 100 * side * (np.sin(angle) - 0.3)], axis=1)
    return points + [50, 0] + 0.05 * rng.standard_normal((count, 2)) * [1, 100]


@pytest.fixture(scope="module")
def fitted():
    patch = pytest.MonkeyPatch()
    patch.setattr(flow, "STEPS", 400)
    yield Flow.fit(two_moons(2000), seed=1)
    patch.undo()


def test_it_has_a_higher_likelihood_than_one_gaussian_and_its_draws_too(fitted):
    fresh = two_moons(2000, seed=5)
    normal = MultivariateNormal.fit(fresh)
    white = np.linalg.solve(normal.factor, (fresh - normal.mean).T)
    of_normal = -0.5 * np.sum(white**2, axis=0) - np.log(2 * np.pi) - np.log(abs(np.linalg.det(normal.factor)))
    assert float(fitted.log_prob(jnp.asarray(fresh, jnp.float32)).mean()) > of_normal.mean() + 0.4
    draws = fitted.sample(2000, seed=2)
    assert np.all(np.abs(draws.mean(axis=0) - fresh.mean(axis=0)) < 0.15 * fresh.std(axis=0))
    np.testing.assert_allclose(draws.std(axis=0), fresh.std(axis=0), rtol=0.1)


def test_its_density_integrates_to_one(fitted):
    x, y = np.linspace(47, 53, 240), np.linspace(-300, 300, 240)
    grid = np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1).reshape(-1, 2).astype(np.float32)
    cell = (x[1] - x[0]) * (y[1] - y[0])
    np.testing.assert_allclose(np.exp(np.asarray(fitted.log_prob(grid))).sum() * cell, 1, atol=0.03)


@pytest.mark.slow
def test_few_and_constant_coefficients(monkeypatch):
    monkeypatch.setattr(flow, "STEPS", 100)
    data = np.concatenate([two_moons(8), np.full((8, 1), 3.0)], axis=1)
    draws = [Flow.fit(data, seed=0).sample(5, seed=1) for _ in range(2)]
    np.testing.assert_array_equal(draws[0], draws[1])
    np.testing.assert_array_equal(draws[0][:, 2], 3.0)


def test_the_best_parameters_are_kept_and_training_ends_without_improvement(monkeypatch):
    network = flow.NormalisingFlow(2, rngs=flow.nnx.Rngs(0))
    best = flow._Best(network, np.zeros((4, 2), np.float32))
    assert not best.look()
    kept = np.asarray(network.shift[...])
    network.shift.set_value(jnp.full(2, 3.0))  # a worse likelihood
    assert [best.look() for _ in range(flow.PATIENCE)] == [False] * (flow.PATIENCE - 1) + [True]
    best.restore()
    np.testing.assert_array_equal(network.shift[...], kept)


def test_training_can_be_ended_from_outside():
    network = flow.NormalisingFlow(1, layers=1, width=2, rngs=flow.nnx.Rngs(0))
    looks = []

    def until():
        looks.append(float(network.shift[...][0]))
        return len(looks) == 2

    batches = np.ones((10, 3, 1), np.float32)
    fit(network, lambda flow, x: -jnp.mean(flow.log_prob(x)), flow.optax.sgd(0.1), batches, until=until)
    assert len(looks) == 2
    assert 0 < looks[0] < looks[1] == float(network.shift[...][0])


def test_a_second_stage_on_posteriors_has_their_spread(monkeypatch):
    means = np.repeat([[-1.0, 0.0], [1.0, 2.0]], 300, axis=0)
    logvars = np.broadcast_to(np.log([0.25, 4.0]), means.shape)
    monkeypatch.setattr(second_stage, "STEPS", 800)
    density = SecondStage.fit(means, logvars=logvars)
    assert density.of_posteriors
    np.testing.assert_allclose(density.scale, np.sqrt([1.25, 5.0]), rtol=1e-5)
    draws = density.sample(4000, seed=0)
    np.testing.assert_allclose(draws.std(axis=0), np.sqrt([1.25, 5.0]), rtol=0.15)
