"""Updates of parts of a model by losses and optimisers of their own: what they move, and what they leave alone."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from fastrrae import AAE, AE, InputError, MaskAAE, build_model, make_objective, train
from fastrrae.models import SeparateUpdate
from fastrrae.models.critic import critic_of
from fastrrae.models.mask_aae import MaskedByCritic
from fastrrae.objectives.critic_loss import critic_loss
from fastrrae.training.step import StepOptions, start_training

X = np.random.default_rng(0).standard_normal((16, 6)).astype(np.float32)


def variables(model, state):
    nnx.update(model, jax.tree.map(jnp.copy, state.variables[0]))
    return model


def stepped(options, updates, optimiser, steps=1):
    """The model before and after some steps, and the metrics of the last."""
    before, after = build_model(options, (6,)), build_model(options, (6,))
    penalties = options.penalties()
    objective = make_objective(penalties, dict.fromkeys(penalties, 1.0), "mse")
    state, step = start_training(after, StepOptions(optimiser, objective, updates=updates))
    metrics = {}
    for _ in range(steps):
        state, metrics = step(state, X)
    return before, variables(after, state), metrics


def moved(before, after):
    """The parts of a model whose parameters have changed."""
    pairs = zip(
        jax.tree.leaves_with_path(nnx.state(before, nnx.Param)),
        jax.tree.leaves(nnx.state(after, nnx.Param)),
        strict=True,
    )
    names = {jax.tree_util.keystr(path[:2], simple=True, separator="/") for (path, a), b in pairs if np.any(a != b)}
    return {name if name.startswith("bottleneck") else name.split("/")[0] for name in names}


def test_a_critic_is_trained_by_its_own_loss_alone():
    options = AAE(rank=2, critic_widths=(8,))
    critic = options.separate_updates(1)
    assert moved(*stepped(options, critic, optax.sgd(0.0))[:2]) == {"bottleneck/critic"}
    still = [replace(update, optimiser=optax.sgd(0.0)) for update in critic]
    assert moved(*stepped(options, still, optax.sgd(0.1))[:2]) == {"encoder", "decoder"}


def test_a_shared_part_is_trained_by_both_losses():
    def shrink(model, batch):
        return jnp.sum(batch.reconstruct(model)[1].z ** 2)

    update = SeparateUpdate("shrink", ("encoder",), shrink, optax.sgd(1e-3), shared=True)
    before, after, metrics = stepped(AE(rank=2), [update], optax.sgd(0.0))
    assert moved(before, after) == {"encoder"}
    np.testing.assert_allclose(metrics["shrink"], np.sum(np.asarray(before.encode(X)) ** 2), rtol=1e-5)
    assert np.sum(np.asarray(after.encode(X)) ** 2) < metrics["shrink"]
    assert moved(*stepped(AE(rank=2), [update], optax.sgd(0.1))[:2]) == {"encoder", "decoder"}


def test_repeats_are_updates_one_after_the_other():
    """Five updates of the critic in a step, against a plain loop with the same draws."""
    options = AAE(rank=2, critic_widths=(8,), critic_steps=5)
    [update] = options.separate_updates(1)
    sgd = replace(update, optimiser=optax.sgd(0.1))
    before, after, metrics = stepped(options, [sgd], optax.sgd(0.0))
    z = before.encode(X)
    critic = critic_of(before)

    def loss_of(mlp, prior, positions):
        return critic_loss(lambda z: mlp(z)[:, 0], prior, z, positions)

    critic.draw_normal(16)  # of the penalty in the autoencoder's loss
    losses = []
    for _ in range(5):
        prior = critic.draw_normal(16)
        positions = jax.random.uniform(critic.noise(), (16, 1))
        loss, gradient = nnx.value_and_grad(loss_of)(critic.mlp, prior, positions)
        losses.append(loss)
        weights = nnx.state(critic.mlp, nnx.Param)
        nnx.update(critic.mlp, jax.tree.map(lambda w, g: w - 0.1 * g, weights, gradient))
    for a, b in zip(*(jax.tree.leaves(nnx.state(critic_of(m).mlp)) for m in (before, after)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(metrics["critic"], losses[-1], rtol=1e-4)


def test_a_loss_that_is_not_finite_is_noticed():
    broken = SeparateUpdate(
        "broken", ("decoder",), lambda model, batch: jnp.asarray(jnp.nan), optax.sgd(0.1), shared=True
    )
    model = build_model(AE(rank=2), (6,))
    state, step = start_training(model, StepOptions(optax.sgd(0.1), make_objective(), updates=[broken]))
    assert int(step(state, X)[0].diverged_at) == 1


def test_a_part_without_parameters_is_refused():
    nowhere = SeparateUpdate("critic", ("bottleneck", "critic"), lambda model, batch: jnp.zeros(()), optax.sgd(0.1))
    with pytest.raises(ValueError, match=r"trains bottleneck\.critic, and the model has no parameters there"):
        start_training(build_model(AE(rank=2), (6,)), StepOptions(optax.sgd(0.1), make_objective(), updates=[nowhere]))


def test_micro_batches_are_refused_before_anything_is_written(tmp_path, config, dataset, with_model, with_training):
    asked = with_training(with_model(config, "mask-aae"), accumulate=2)
    with pytest.raises(InputError, match=r"`training.accumulate` must be 1 for mask-aae, whose critic .*; got 2"):
        train(asked, dataset, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_own_penalty_cannot_take_the_name_of_an_update(tmp_path, config, dataset, with_model):
    config = with_model(config, "aae")
    weights = {**config.objective.weights, "critic": 1.0}
    config = replace(config, objective=replace(config.objective, weights=weights))
    with pytest.raises(InputError, match="'critic' is taken by aae"):
        train(config, dataset, tmp_path / "run", penalties={"critic": lambda model, x, output: jnp.zeros(())})


def test_the_mask_stays_nonnegative_and_its_weight_doubles():
    options = MaskAAE(rank=4, critic_widths=(8,), mask_learning_rate=2.0, mask_interval=3)
    _, after, metrics = stepped(options, options.separate_updates(20), optax.sgd(1e-2), steps=20)
    assert isinstance(after.bottleneck, MaskedByCritic)
    assert float(after.bottleneck.mask[...].min()) == 0.0
    assert np.isfinite(list(metrics.values())).all()
    weights = [float(options.binary_weight(jnp.asarray(step), 20)) for step in (0, 2, 3, 6, 1000)]
    assert weights == [0.5, 0.5, 1.0, 2.0, 2048.0]
    by_length = MaskAAE(rank=4)
    assert float(by_length.binary_weight(jnp.asarray(900), 1000)) == 2048.0
    assert float(by_length.binary_weight(jnp.asarray(600), 1000)) < 1024.0
