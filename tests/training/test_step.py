"""The compiled step."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from fastrrae import AE, MODELS, VAE, VRRAE, NetworkConfig, TrainingConfig, build_model, make_objective
from fastrrae.training.forward import make_forward
from fastrrae.training.optimiser import make_optimiser
from fastrrae.training.state_arrays import digest, flatten
from fastrrae.training.step import StepOptions, finish_training, start_training

X = np.random.default_rng(0).standard_normal((16, 12)).astype(np.float32)


def objective_of(options, weight=1e-3):
    penalties = options.penalties()
    return make_objective(penalties, dict.fromkeys(penalties, weight))


def begin(name="vrrae", learning_rate=1e-3):
    options = MODELS[name](rank=3, **({"latent_size": 6} if "rrae" in name else {}))
    model = build_model(options, (12,))
    state, step = start_training(model, StepOptions(optax.adabelief(learning_rate), objective_of(options)))
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


@pytest.mark.parametrize("name", [*MODELS, "rae-gp, jacobian"])
def test_every_model_has_gradients_by_convolutions(name):
    """They have no forward-mode derivative; nothing is computed here, which takes long."""
    name, _, way = name.partition(", ")
    wide = {"latent_size": 6} if "rrae" in name else {}
    options = MODELS[name](rank=3, **wide, **({"gradient_of": way} if way else {}))
    network = NetworkConfig(encoder_widths=(2,), decoder_widths=(2,))
    model = build_model(options, (4, 4, 1), network=network)
    state, step = start_training(model, StepOptions(optax.adabelief(1e-3), objective_of(options)))
    after, metrics = jax.eval_shape(step, state, np.zeros((8, 4, 4, 1), np.float32))
    assert metrics["loss"].shape == ()
    assert jax.tree.structure(after) == jax.tree.structure(state)


def gradient_step(**options):
    """Parameters after one step of plain gradient descent, noise-free."""
    model = build_model(AE(rank=3), (12,))
    objective = make_objective(reconstruction="mse")
    state, step = start_training(model, StepOptions(optax.sgd(1.0), objective, **options))
    state, metrics = step(state, X)
    return flatten(state.variables[0]), metrics


def test_accumulated_gradients_are_those_of_the_whole_batch():
    whole, metrics = gradient_step()
    parts, metrics_of_parts = gradient_step(accumulate=4)
    for name, array in whole.items():
        np.testing.assert_allclose(parts[name], array, atol=1e-6)
    np.testing.assert_allclose(metrics_of_parts["loss"], metrics["loss"], rtol=1e-6)


def test_each_micro_batch_draws_its_own_noise():
    model = build_model(VAE(rank=3), (12,))
    objective = objective_of(VAE(rank=3), 0.0)
    state, step = start_training(model, StepOptions(optax.sgd(0.0), objective, accumulate=2))
    same_twice = np.concatenate([X[:8], X[:8]])
    first = float(step(state, same_twice)[1]["loss"])
    state, step = start_training(model, StepOptions(optax.sgd(0.0), objective))
    assert abs(first - float(step(state, X[:8])[1]["loss"])) > 1e-4


def test_remat_changes_memory_and_nothing_else():
    whole, _ = gradient_step()
    again, _ = gradient_step(forward=make_forward(remat=True))
    for name, array in whole.items():
        np.testing.assert_allclose(again[name], array, atol=1e-7)


@pytest.mark.parametrize("shape", [(12,), (8, 8, 1)], ids=str)
def test_bfloat16_computes_encoder_and_decoder_only(shape):
    options = VRRAE(rank=3, latent_size=6)
    model = build_model(options, shape)
    x = np.random.default_rng(0).standard_normal((16, *shape)).astype(np.float32)
    losses = []
    for bfloat16 in (False, True):
        forward = make_forward(bfloat16=bfloat16)
        state, step = start_training(model, StepOptions(optax.adabelief(1e-3), objective_of(options), forward))
        text = step.lower(state, x).as_text()  # pyright: ignore[reportFunctionMemberAccess]
        assert ("bf16" in text) == bfloat16
        state, metrics = step(state, x)
        assert all(array.dtype != jnp.bfloat16 for array in flatten(state).values())
        losses.append(float(metrics["loss"]))
    np.testing.assert_allclose(losses[1], losses[0], rtol=0.02)
    assert losses[0] != losses[1]


def test_the_rate_halves_where_the_loss_does_not_improve():
    """With a loss that is one: three averages of four steps without improvement are one too many."""
    settings = TrainingConfig(optimiser="adam", learning_rate=1e-2, schedule="plateau", plateau_steps=4)
    model = build_model(AE(rank=2), (5,))
    state, step = start_training(
        model, StepOptions(make_optimiser(settings, 100), lambda model, x, output: (jnp.ones(()), {}))
    )
    scales = []
    for _ in range(24):
        state, _ = step(state, np.ones((4, 5), np.float32))
        scales += [float(value) for name, value in flatten(state).items() if "opt_state/1/scale" in name]
    assert scales[0] == 1
    assert scales[-1] in (0.25, 0.125)
