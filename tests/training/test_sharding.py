"""The same training on one device and on several: losses, parameters, checkpoints, and where arrays lie."""

from dataclasses import replace

import jax
import numpy as np
import optax
import pytest
from jax.sharding import PartitionSpec

from fastrrae import (
    RRAE,
    Dataset,
    InputError,
    NetworkConfig,
    RunFolder,
    ShardingConfig,
    build_model,
    load_run,
    make_objective,
    train,
)
from fastrrae.data import Normalisation
from fastrrae.plan.collectives import collectives_of
from fastrrae.training.mesh import make_mesh
from fastrrae.training.metrics_log import read_metrics
from fastrrae.training.sharding import batch_placer, batch_sharding, spec_of
from fastrrae.training.step import StepOptions, start_training

# Not variational: noise follows the signs of singular vectors, which matrices of other shapes need not agree on.
RANK_3 = RRAE(rank=3, latent_size=16)
WIDE = NetworkConfig(encoder_widths=(512,), decoder_widths=(512,))
LEARNED_PRIORS = ("vamp-vae", "gm-vae", "flow-vae", "iaf-vae", "iop-vae", "injective-flow")
X = np.random.default_rng(0).standard_normal((32, 256)).astype(np.float32)


def on(config, **sharding):
    return replace(config, sharding=ShardingConfig(**sharding))


@pytest.mark.parametrize(
    "model",
    [
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("ae", "vae", "aae", "flex-ae", *LEARNED_PRIORS)),
        "rrae",
        "vrrae",
        "mask-aae",
    ],
)
def test_losses_and_gradients_equal_those_of_one_device(tmp_path, config, dataset, model, with_model):
    config = with_model(config, model)
    rows = []
    for count in (1, 8):
        folder = RunFolder(tmp_path / str(count))
        train(on(config, data_devices=count), dataset, folder)
        rows.append([(row["loss"], row["gradient_norm"]) for row in read_metrics(folder.metrics)])
    np.testing.assert_allclose(rows[1], rows[0], rtol=2e-4)


def test_images_on_several_devices_equal_those_on_one(tmp_path, config, with_model):
    """Batches of several devices hold samples flat."""
    images = np.random.default_rng(1).uniform(size=(50, 4, 6, 2)).astype(np.float32)
    dataset = Dataset(images[:40], {"test": images[40:]}, Normalisation(0.0, 1.0))
    config = replace(with_model(config, "rrae"), network=NetworkConfig(encoder_widths=(4,), decoder_widths=(4,)))
    losses = []
    for count in (1, 8):
        folder = RunFolder(tmp_path / str(count))
        train(on(config, data_devices=count), dataset, folder)
        losses.append([row["loss"] for row in read_metrics(folder.metrics)])
    np.testing.assert_allclose(losses[1], losses[0], rtol=2e-4)
    placed = batch_placer(make_mesh(ShardingConfig(data_devices=8)))(images[:16])
    assert placed.shape == (16, 48)
    assert placed.sharding.is_equivalent_to(batch_sharding(make_mesh(ShardingConfig(data_devices=8))), 2)


def one_step(sharding, accumulate=1):
    """Loss of a step and everything after it, for layers large enough to be cut."""
    mesh = make_mesh(sharding)
    model = build_model(RANK_3, (256,), network=WIDE)
    momentum = optax.sgd(1e-2, momentum=0.9)  # linear in the gradient: rounding stays rounding
    options = StepOptions(momentum, make_objective(), accumulate=accumulate)
    state, step = start_training(model, options, mesh=mesh)
    with jax.set_mesh(mesh):
        state, metrics = step(state, X)
        text = step.lower(state, X).compile().as_text()  # pyright: ignore[reportFunctionMemberAccess]
    return float(metrics["loss"]), state, text


def bytes_on_one_device(state):
    return sum(leaf.addressable_shards[0].data.nbytes for leaf in jax.tree.leaves(state))


def test_large_weights_and_their_moments_are_shared():
    whole_loss, whole, _ = one_step(ShardingConfig(data_devices=1))
    loss, state, _ = one_step(ShardingConfig(data_devices=2, model_devices=4))
    assert loss == pytest.approx(whole_loss, rel=1e-5)
    assert bytes_on_one_device(state) < 0.35 * bytes_on_one_device(whole)
    for ours, theirs in zip(jax.tree.leaves(state.variables), jax.tree.leaves(whole.variables), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_micro_batches_work_on_several_devices():
    expected, _, _ = one_step(ShardingConfig(data_devices=1), accumulate=4)
    loss, _, _ = one_step(ShardingConfig(data_devices=8), accumulate=4)
    assert loss == pytest.approx(expected, rel=1e-5)


def test_nothing_but_sums_and_weights_is_exchanged_and_the_latent_matrix_stays_where_it_is():
    _, _, text = one_step(ShardingConfig(data_devices=8))
    found = collectives_of(text)
    gathered = [collective.shapes for collective in found if collective.kind == "all-gather"]
    assert sorted(gathered) == [((256, 512),), ((512, 256),)]  # weights that lie in parts between steps
    assert {collective.kind for collective in found} <= {"all-reduce", "all-gather", "reduce-scatter"}
    shapes = [shape for collective in found for shape in collective.shapes]
    assert shapes.count((16, 16)) >= 1  # the Gram matrix
    assert all(shape[:1] != (32,) for shape in shapes)  # no array of the global batch


@pytest.mark.parametrize(
    ("shape", "devices", "spec"),
    [
        ((512, 512), 4, PartitionSpec("model")),
        ((256, 1024), 4, PartitionSpec(None, "model")),
        ((3, 1024, 100), 4, PartitionSpec(None, "model")),
        ((512, 511), 4, PartitionSpec("model")),
        ((511, 513), 4, PartitionSpec()),
        ((512,), 4, PartitionSpec()),
        ((), 4, PartitionSpec()),
        ((512, 512), 1, PartitionSpec()),
    ],
)
def test_the_rule_that_cuts_arrays(shape, devices, spec):
    assert spec_of(shape, devices) == spec


def test_a_run_goes_on_on_other_devices(tmp_path, config, dataset, with_training):
    """Stopped on eight devices, continued on one and on four with shared weights, it ends as one that never stopped."""
    whole = RunFolder(tmp_path / "whole")
    train(config, dataset, whole)
    for name, sharding in {"one": {"data_devices": 1}, "four": {"data_devices": 2, "model_devices": 2}}.items():
        folder = RunFolder(tmp_path / name)
        train(on(config, data_devices=8), dataset, folder)
        forget_the_end(folder, step=10)
        train(on(config, **sharding), dataset, folder, resume=True)
        ours, theirs = (load_run(run.root).reconstruct(dataset.test) for run in (folder, whole))
        np.testing.assert_allclose(ours, theirs, atol=2e-3)


def forget_the_end(folder, step):
    """Take a finished run back to its checkpoint at `step`."""
    folder.summary.unlink()
    folder.unfinished.write_text("")
    for checkpoint in folder.checkpoints.iterdir():
        if int(checkpoint.name) > step:
            checkpoint.rename(folder.root / f"later-{checkpoint.name}")


@pytest.mark.parametrize(
    ("sharding", "batch_size", "message"),
    [
        ({}, 20, r"`training.batch_size` must be a multiple of the 8 devices that share it; got 20: .* 16 and 24"),
        ({"data_devices": 4, "model_devices": 2}, 18, "the 4 devices that share it; got 18: .* 16 and 20"),
        (
            {"model_devices": 3},
            16,
            r"`sharding.model_devices` must divide the number .*; got 3, and there are 8",
        ),
        ({"data_devices": 9}, 18, "must be at most the number of devices, 8; got 9 x 1"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, config, dataset, with_training, sharding, batch_size, message):
    config = with_training(on(config, **sharding), batch_size=batch_size)
    with pytest.raises(InputError, match=message):
        train(config, dataset, tmp_path / "run")
    assert not (tmp_path / "run").exists()
