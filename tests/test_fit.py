"""The small training loop: it minimises, leaves other variables alone, and compiles once."""

import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from fastrrae.fit import _compiled_steps, fit

OPTIMISER = optax.sgd(0.1)


class Offset(nnx.Variable):
    """Not trained."""


class Line(nnx.Module):
    def __init__(self):
        self.slope = nnx.Param(jnp.zeros(()))
        self.offset = Offset(jnp.ones(()))

    def __call__(self, x):
        return self.slope[...] * x + self.offset[...]


def squared_error(network, batch):
    x, y = batch
    return jnp.mean((network(x) - y) ** 2)


def batches(steps):
    rng = np.random.default_rng(0)
    for _ in range(steps):
        x = rng.standard_normal(32).astype(np.float32)
        yield x, 3 * x + 1


def test_it_finds_the_minimum_and_trains_parameters_alone():
    network = Line()
    fit(network, squared_error, OPTIMISER, batches(200))
    np.testing.assert_allclose(network.slope[...], 3, rtol=1e-4)
    assert network.offset[...] == 1


def test_steps_are_those_of_the_optimiser():
    network = Line()
    fit(network, squared_error, OPTIMISER, batches(2))
    slope = 0.0
    for x, y in batches(2):
        slope -= 0.1 * np.mean(2 * (slope * x + 1 - y) * x)
    np.testing.assert_allclose(network.slope[...], slope, rtol=1e-5)


def test_no_batches_change_nothing_and_the_network_keeps_its_arrays():
    network = Line()
    kept = network.slope[...]
    fit(network, squared_error, OPTIMISER, batches(0))
    assert network.slope[...] == 0
    fit(network, squared_error, OPTIMISER, batches(1))
    assert kept == 0  # what was handed over is still there


def test_networks_of_one_structure_share_a_program():
    _compiled_steps.cache_clear()
    for _ in range(3):
        fit(Line(), squared_error, OPTIMISER, batches(1))
    assert _compiled_steps.cache_info().misses == 1


def test_later_calls_do_not_compile_again(monkeypatch):
    """Though the slope starts as a number of no settled type."""
    network = Line()
    network.slope.set_value(jnp.full((), -1.0))
    programs = []

    def kept(*arguments):
        programs.append(_compiled_steps(*arguments))
        return programs[-1]

    monkeypatch.setattr("fastrrae.fit._compiled_steps", kept)
    fit(network, squared_error, optax.adam(0.1), batches(6), steps_per_call=2)
    assert [program._cache_size() for program in programs] == [1]


def test_several_steps_in_one_program_are_the_same_steps():
    one_by_one, grouped = Line(), Line()
    fit(one_by_one, squared_error, OPTIMISER, batches(7))
    fit(grouped, squared_error, OPTIMISER, batches(7), steps_per_call=3)
    np.testing.assert_allclose(grouped.slope[...], one_by_one.slope[...], rtol=1e-6)
