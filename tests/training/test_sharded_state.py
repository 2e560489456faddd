"""Weights and moments shared by the devices that share a batch: the same steps, their parts, and their checkpoints."""

import shutil
from dataclasses import replace

import jax
import numpy as np
import optax
import pytest
from jax.sharding import PartitionSpec as P

import fastrrae.training.sharding as rules
from fastrrae import AE, RRAE, NetworkConfig, RunFolder, ShardingConfig, build_model, load_run, make_objective, train
from fastrrae.models.adaptive_rank import AdaptiveRank
from fastrrae.plan.collectives import collectives_of
from fastrrae.training.mesh import make_mesh
from fastrrae.training.metrics_log import read_metrics
from fastrrae.training.sharding import spec_of_part
from fastrrae.training.step import StepOptions, start_training

WIDE = NetworkConfig(encoder_widths=(512,), decoder_widths=(512,))
X = np.random.default_rng(0).standard_normal((32, 256)).astype(np.float32)
# With a large `eps`, steps are smooth in the gradient: rounding stays rounding.
OPTIMISERS = {
    "adabelief": optax.adabelief(1e-2, eps=1e-2),
    "clipped adamw": optax.chain(optax.clip_by_global_norm(0.5), optax.adamw(1e-2, eps=1e-2)),
    "averaged adam": optax.chain(optax.adam(1e-2, eps=1e-2), optax.ema(0.5)),
}


@pytest.fixture
def every_array_is_large(monkeypatch):
    """The small networks of these tests are sharded as large ones are."""
    monkeypatch.setattr(rules, "SHARDED_FROM", 8)


def three_steps(*, shard_state, optimiser="clipped adamw", accumulate=1, **sharding):
    """The state after three steps, gradient norms, and the compiled program."""
    mesh = make_mesh(ShardingConfig(**sharding))
    options = StepOptions(OPTIMISERS[optimiser], make_objective(), accumulate=accumulate, shard_state=shard_state)
    state, step = start_training(build_model(AE(rank=16), (256,), network=WIDE), options, mesh=mesh)
    norms = []
    with jax.set_mesh(mesh):
        program = step.lower(state, X).compile()  # pyright: ignore[reportFunctionMemberAccess]
        for _ in range(3):
            state, metrics = program(state, X)
            norms.append(float(metrics["gradient_norm"]))
    return state, norms, program.as_text()


@pytest.mark.parametrize(
    ("optimiser", "accumulate"),
    [
        ("clipped adamw", 1),
        ("adabelief", 2),
        pytest.param("averaged adam", 1, marks=pytest.mark.slow),
        pytest.param("adabelief", 1, marks=pytest.mark.slow),
    ],
)
def test_steps_are_those_without_it_to_rounding(optimiser, accumulate):
    options = {"optimiser": optimiser, "accumulate": accumulate}
    whole, norms, _ = three_steps(shard_state=False, **options)
    shared, shared_norms, _ = three_steps(shard_state=True, **options)
    np.testing.assert_allclose(shared_norms, norms, rtol=1e-5)
    for ours, theirs in zip(jax.tree.leaves(shared.variables), jax.tree.leaves(whole.variables), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def kept_by_a_device(tree):
    return [leaf.addressable_shards[0].data.shape for leaf in jax.tree.leaves(tree)]


def test_a_device_keeps_its_part_alone():
    state, _, text = three_steps(shard_state=True)
    kept = kept_by_a_device(state)
    assert kept.count((256, 64)) == 3  # the encoder's first layer and its two moments
    assert kept.count((64, 256)) == 3  # the decoder's last one
    assert kept.count((512, 16)) == 3  # too small to be worth it
    gathered = [shape for found in collectives_of(text) if found.kind == "all-gather" for shape in found.shapes]
    assert sorted(gathered) == [(256, 512), (512, 256)]  # the weights, once each


def test_without_it_everything_is_everywhere():
    state, _, text = three_steps(shard_state=False)
    assert kept_by_a_device(state).count((256, 512)) == 3
    assert {found.kind for found in collectives_of(text)} == {"all-reduce"}


def test_weights_that_are_shared_are_cut_once_more():
    state, _, _ = three_steps(shard_state=True, data_devices=2, model_devices=4)
    assert kept_by_a_device(state).count((128, 128)) == 6  # of both layers


@pytest.mark.parametrize(
    ("shape", "model", "data", "spec"),
    [
        ((512, 512), 1, 8, P("data")),
        ((256, 1024), 1, 8, P(None, "data")),
        ((3, 3, 256, 128), 1, 8, P(None, None, "data")),
        ((512, 511), 1, 8, P("data")),
        ((511, 513), 1, 8, P()),
        ((512,), 1, 8, P()),
        ((), 1, 8, P()),
        ((512, 512), 1, 1, P()),
        ((512, 512), 4, 1, P("model")),
        ((512, 512), 4, 2, P("model", "data")),
        ((4096, 512), 4, 2, P(("model", "data"))),
        ((511, 512), 4, 2, P(None, ("model", "data"))),
        ((508, 511), 4, 2, P("model")),
    ],
)
def test_the_rule_that_cuts_arrays(shape, model, data, spec):
    assert spec_of_part(shape, model, data) == spec


def on(config, **sharding):
    return replace(config, sharding=ShardingConfig(**sharding))


def test_a_resumed_run_has_the_bits_of_one_that_never_stopped(
    config, dataset, digest, resumed_and_whole, every_array_is_large
):
    resumed, whole = resumed_and_whole(on(config, data_devices=8), dataset, at=15)
    assert digest(resumed) == digest(whole)


@pytest.mark.slow
def test_a_run_goes_on_in_any_layout(tmp_path, config, dataset, interrupt_training, every_array_is_large):
    """Stopped on eight devices that share updates, or not, and continued on one, four and eight that do, or do not."""
    expected = None
    layouts = [
        {"data_devices": 1},
        {"data_devices": 4},
        {"data_devices": 2, "model_devices": 2},
        {"data_devices": 8},
        {"data_devices": 8, "shard_state": False},
    ]
    for shared in (True, False):
        stopped = RunFolder(tmp_path / f"stopped-{shared}")
        interrupt_training(on(config, data_devices=8, shard_state=shared), dataset, stopped, at=12)
        for number, layout in enumerate(layouts):
            folder = RunFolder(tmp_path / f"{shared}-{number}")
            shutil.copytree(stopped.root, folder.root)
            train(on(config, **layout), dataset, folder, resume=True)
            found = load_run(folder.root).reconstruct(dataset.test)
            expected = found if expected is None else expected
            np.testing.assert_allclose(found, expected, atol=2e-3)


@pytest.mark.parametrize("model", ["mask-aae", pytest.param("aae", marks=pytest.mark.slow)])
def test_critics_are_shared_as_well(tmp_path, config, dataset, model, with_model, every_array_is_large):
    config = with_model(config, model)
    rows = []
    for shared in (True, False):
        folder = RunFolder(tmp_path / str(shared))
        train(on(config, data_devices=8, shard_state=shared), dataset, folder)
        rows.append([(row["loss"], row["gradient_norm"]) for row in read_metrics(folder.metrics)])
    np.testing.assert_allclose(rows[0], rows[1], rtol=2e-4)


@pytest.mark.slow
def test_a_search_for_the_rank_keeps_its_copies_in_parts(every_array_is_large):
    rows = []
    for shared in (True, False):
        mesh = make_mesh(ShardingConfig(data_devices=8))
        search = AdaptiveRank(window=2, patience=1, tolerance=1e6, latest=8)  # every rank will do
        options = StepOptions(optax.adam(1e-3, eps=1e-2), make_objective(), hook=search, shard_state=shared)
        model = build_model(RRAE(rank=6, latent_size=8, adaptive_rank=True), (256,), network=WIDE)
        state, step = start_training(model, options, mesh=mesh)
        assert kept_by_a_device(state.hook).count((256, 64)) == (3 if shared else 0)
        with jax.set_mesh(mesh):
            for _ in range(12):
                state, metrics = step(state, X)
                rows.append((float(metrics["rank"]), float(metrics["loss"])))
    np.testing.assert_allclose(rows[:12], rows[12:], rtol=1e-4)
    assert rows[0][0] > rows[11][0]
