"""The compiled step."""

import numpy as np
import optax
import pytest
from flax import nnx

from fastrrae import ModelConfig, ObjectiveConfig, build_model, make_objective
from fastrrae.config import ModelName
from fastrrae.training.state_arrays import digest
from fastrrae.training.step import finish_training, start_training

X = np.random.default_rng(0).standard_normal((16, 12)).astype(np.float32)


def begin(model_name: ModelName = "vrrae", learning_rate=1e-3):
    model = build_model(ModelConfig(model=model_name, rank=3, latent_size=6), (12,))
    state, step = start_training(model, optax.adabelief(learning_rate), make_objective(ObjectiveConfig(beta=1e-3)))
    return model, state, step


@pytest.mark.parametrize("name", ["ae", "vae", "rrae", "vrrae"])
def test_the_loss_goes_down(name):
    _, state, step = begin(name, 1e-2)
    losses = []
    for _ in range(150):
        state, metrics = step(state, X)
        losses.append(float(metrics["loss"]))
    assert losses[-1] < 0.8 * losses[0]
    assert int(state.step) == 150
    assert int(state.diverged_at) == 0


def test_the_model_is_untouched_until_training_finishes():
    model, state, step = begin()
    before = digest(nnx.state(model, nnx.Param))
    state, _ = step(state, X)
    assert digest(nnx.state(model, nnx.Param)) == before
    finish_training(model, state)
    assert digest(nnx.state(model, nnx.Param)) != before


def test_noise_moves_on_with_the_state():
    _, state, step = begin(learning_rate=0.0)
    state, first = step(state, X)
    state, second = step(state, X)
    assert float(first["loss"]) != float(second["loss"])


def test_the_first_step_that_is_not_finite_is_remembered():
    _, state, step = begin()
    for x in (X, np.full_like(X, np.nan), X):
        state, _ = step(state, x)
    assert int(state.diverged_at) == 2


def test_one_compilation_serves_all_steps():
    _, state, step = begin()
    for _ in range(3):
        state, _ = step(state, X)
    assert step._cache_size() == 1  # pyright: ignore[reportFunctionMemberAccess]
