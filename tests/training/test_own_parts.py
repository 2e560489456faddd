"""A user's own network, loss, penalty and optimiser get what the built-in ones get."""

import json
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from fastrrae import AE, RRAE, Autoencoder, InputError, ObjectiveConfig, RunFolder, ShardingConfig, load_run, train
from fastrrae.models import RankReduction
from fastrrae.training.metrics_log import read_metrics


class ResidualEncoder(nnx.Module):
    """A user's own."""

    def __init__(self, latent_size=8, *, rngs):
        self.first = nnx.Linear(12, 16, rngs=rngs)
        self.middle = nnx.Linear(16, 16, rngs=rngs)
        self.last = nnx.Linear(16, latent_size, rngs=rngs)

    def __call__(self, x):
        x = nnx.relu(self.first(x))
        return self.last(x + nnx.relu(self.middle(x)))


class Decoder(nnx.Module):
    """A user's own; it takes `rngs` by position."""

    def __init__(self, rngs, latent_size=8):
        self.layer = nnx.Linear(latent_size, 12, rngs=rngs)

    def __call__(self, z):
        return self.layer(z)


def roughness(model, x, output):
    """A penalty of the user's own."""
    return jnp.mean(jnp.diff(output.reconstruction, axis=1) ** 2)


def optimiser(rate=3e-3):
    return optax.chain(optax.clip_by_global_norm(1.0), optax.adam(rate))


PARTS = {"encoder": ResidualEncoder, "decoder": Decoder, "penalties": {"roughness": roughness}}


@pytest.fixture
def own(config):
    """A RRAE with a penalty of the user's own."""
    return replace(
        config, recipe="mine", model=RRAE(rank=2, latent_size=8), objective=ObjectiveConfig(weights={"roughness": 0.5})
    )


def test_a_run_with_own_parts_opens_again(tmp_path, own, dataset):
    model = train(own, dataset, tmp_path / "run", optimiser=optimiser(), **PARTS)
    assert isinstance(model.encoder, ResidualEncoder)
    run = load_run(tmp_path / "run", encoder=ResidualEncoder, decoder=Decoder)
    np.testing.assert_allclose(run.reconstruct(dataset.test), model.reconstruct(dataset.test), rtol=1e-4, atol=1e-6)
    assert run.sample(3).shape == (3, 12)
    row = read_metrics(RunFolder(tmp_path / "run").metrics)[-1]
    assert row["loss"] == pytest.approx(row["reconstruction"] + 0.5 * row["roughness"], rel=1e-5)
    stored = json.loads((tmp_path / "run" / "config.json").read_text())
    assert stored["training"]["optimiser"] == "own"
    assert set(stored["own_parts"]) == {"encoder", "decoder", "penalty roughness", "optimiser"}
    assert ".ResidualEncoder " in stored["own_parts"]["encoder"]
    assert stored["own_parts"]["penalty roughness"].endswith(".roughness")


def test_a_run_with_own_parts_resumes_to_the_same_bits(tmp_path, own, dataset, changed_batch, digest):
    whole, broken = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "broken")
    train(own, dataset, whole, optimiser=optimiser(), **PARTS)

    def interrupt(_):
        raise KeyboardInterrupt

    with changed_batch(14, interrupt), pytest.raises(KeyboardInterrupt):
        train(own, dataset, broken, optimiser=optimiser(), **PARTS)
    train(own, dataset, broken, resume=True, optimiser=optimiser(), **PARTS)
    assert digest(broken) == digest(whole)


def test_resuming_with_other_parts_is_refused(tmp_path, own, dataset):
    train(own, dataset, tmp_path / "run", optimiser=optimiser(), **PARTS)

    def resume(**changes):
        train(own, dataset, tmp_path / "run", resume=True, **{**PARTS, "optimiser": optimiser(), **changes})

    resume()
    with pytest.raises(InputError, match=r"own_parts.optimiser: .* stored, .* asked"):
        resume(optimiser=optax.adam(3e-3))
    with pytest.raises(InputError, match=r"own_parts.decoder: .*Decoder \w+ stored, None asked"):
        resume(decoder=None)
    with pytest.raises(InputError, match=r"own_parts.penalty roughness: .*roughness stored, .*<lambda> asked"):
        resume(penalties={"roughness": lambda model, x, output: jnp.zeros(())})

    class Wider(ResidualEncoder):
        def __init__(self, rngs):
            super().__init__(rngs=rngs)
            self.middle = nnx.Linear(16, 16, use_bias=False, rngs=rngs)

    with pytest.raises(InputError, match=r"own_parts.encoder: .*ResidualEncoder \w+ stored, .*Wider \w+ asked"):
        resume(encoder=Wider)


def test_loading_without_the_parts_says_what_is_needed(tmp_path, own, dataset):
    train(own, dataset, tmp_path / "run", optimiser=optimiser(), **PARTS)
    with pytest.raises(InputError, match=r"with parts of your own: encoder \S*ResidualEncoder, decoder \S*Decoder\."):
        load_run(tmp_path / "run")
    with pytest.raises(InputError, match=r"trained with another encoder: \S*ResidualEncoder \w+ then, \S*Linear"):
        load_run(tmp_path / "run", encoder=lambda rngs: nnx.Linear(12, 8, rngs=rngs), decoder=Decoder)


def whole_model(rngs):
    return Autoencoder(ResidualEncoder(rngs=rngs), RankReduction(8, 3), Decoder(rngs))


def test_a_whole_model_and_its_own_loss(tmp_path, own, dataset):
    def absolute(x, reconstruction):
        return jnp.mean(jnp.abs(x - reconstruction))

    config = replace(own, objective=ObjectiveConfig())
    model = train(config, dataset, tmp_path / "run", model=whole_model, reconstruction=absolute)
    run = load_run(tmp_path / "run", model=whole_model)
    assert (run.name, run.rank) == ("RankReduction", 3)
    np.testing.assert_allclose(run.reconstruct(dataset.test), model.reconstruct(dataset.test), rtol=1e-4, atol=1e-6)
    row = read_metrics(RunFolder(tmp_path / "run").metrics)[-1]
    assert row["loss"] == row["reconstruction"] < 2
    with pytest.raises(InputError, match="bottleneck"):
        load_run(tmp_path / "run", encoder=ResidualEncoder, decoder=Decoder)


def test_a_schedule_of_ones_own_changes_the_rate_of_the_configured_optimiser(tmp_path, config, dataset):
    still = train(config, dataset, tmp_path / "still", optimiser=optax.constant_schedule(0.0))
    moved = train(config, dataset, tmp_path / "moved", optimiser=optax.linear_schedule(1e-3, 0.0, 20))
    start = train(replace(config, training=replace(config.training, steps=1)), dataset, tmp_path / "start",
                  optimiser=optax.constant_schedule(0.0))  # fmt: skip
    leaves = [jax.tree.leaves(nnx.state(model, nnx.Param)) for model in (still, start, moved)]
    assert all(np.array_equal(a, b) for a, b in zip(leaves[0], leaves[1], strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(leaves[0], leaves[2], strict=True))


def test_own_parts_on_several_devices(tmp_path, own, dataset):
    losses = []
    for count in (1, 4):
        folder = RunFolder(tmp_path / str(count))
        config = replace(own, sharding=ShardingConfig(data_devices=count))
        train(config, dataset, folder, optimiser=optimiser(), **PARTS)
        losses.append([row["loss"] for row in read_metrics(folder.metrics)])
    np.testing.assert_allclose(losses[1], losses[0], rtol=2e-4)


def test_what_does_not_fit_is_refused(tmp_path, own, config, dataset):
    with pytest.raises(InputError, match=r"`objective.weights.roughness` must be given: the weight of your penalty"):
        train(replace(own, objective=ObjectiveConfig()), dataset, tmp_path / "a", **PARTS)
    with pytest.raises(InputError, match="'kl' is taken by vrrae"):
        train(config, dataset, tmp_path / "a", penalties={"kl": roughness})
    with pytest.raises(InputError, match=r"`training.optimiser` is own, so `optimiser` must be handed over"):
        train(replace(own, training=replace(own.training, optimiser="own"), objective=ObjectiveConfig()),
              dataset, tmp_path / "a")  # fmt: skip
    with pytest.raises(InputError, match=r"`model` must be or make a fastrrae.Autoencoder; got Decoder"):
        train(own, dataset, tmp_path / "a", model=Decoder)
    with pytest.raises(InputError, match="give `model` or its parts, not both; got `model` and encoder"):
        train(own, dataset, tmp_path / "a", model=whole_model, encoder=ResidualEncoder)
    narrow = replace(config, model=AE(rank=3), objective=ObjectiveConfig())
    with pytest.raises(InputError, match=r"`encoder` must return shape \(batch, 3\); got \(batch, 8\)"):
        train(narrow, dataset, tmp_path / "a", encoder=ResidualEncoder)
    with pytest.raises(InputError, match=r"`decoder` cannot be applied to a batch of shape \(batch, 3\)"):
        train(narrow, dataset, tmp_path / "a", decoder=Decoder)
    losses = replace(config, model=AE(rank=8), objective=ObjectiveConfig(reconstruction="own"))
    with pytest.raises(InputError, match=r"`reconstruction` must return a scalar, .* got shape \(2, 12\)"):
        train(losses, dataset, tmp_path / "a", reconstruction=lambda x, y: (x - y) ** 2)
    with pytest.raises(InputError, match=r"`dataset` must be a Dataset; got ndarray"):
        train(config, np.ones((4, 6)), tmp_path / "a")  # pyright: ignore[reportArgumentType]
    assert not (tmp_path / "a").exists()
