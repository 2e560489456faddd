"""Two slices of four devices each, which are played by the eight devices of a host."""

from dataclasses import replace

import jax
import numpy as np
import optax
import pytest

import fastrrae.training.mesh as meshes
from fastrrae import InputError, RunFolder, ShardingConfig, make_objective, train
from fastrrae.training.metrics_log import read_metrics
from fastrrae.training.step import StepOptions, options_on


@pytest.fixture
def two_slices(monkeypatch):
    """Even and odd devices: neighbours are never in one slice."""
    monkeypatch.setattr(meshes, "slice_of", lambda device: device.id % 2)


def test_the_data_axis_goes_through_one_slice_after_the_other(two_slices):
    mesh = meshes.make_mesh(ShardingConfig(model_devices=2))
    assert mesh.devices.shape == (4, 2)
    slices = np.vectorize(meshes.slice_of)(mesh.devices)
    np.testing.assert_array_equal(slices, [[0, 0], [0, 0], [1, 1], [1, 1]])


@pytest.mark.parametrize(
    ("sharding", "message"),
    [
        (ShardingConfig(model_devices=8), "must divide the number of devices of each slice, 4.*got 8"),
        (ShardingConfig(data_devices=2), "must be all 8 devices where there are several slices; got 2 x 1"),
    ],
)
def test_weights_stay_within_a_slice(two_slices, sharding, message):
    with pytest.raises(InputError, match=message):
        meshes.make_mesh(sharding)


def test_two_slices_give_the_losses_of_one_device(config, dataset, tmp_path, two_slices):
    train(replace(config, sharding=ShardingConfig()), dataset, tmp_path / "two", quiet=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(meshes, "slice_of", lambda device: 0)
        train(config, dataset, tmp_path / "one", quiet=True)
    one, two = ([row["loss"] for row in read_metrics(RunFolder(tmp_path / run).metrics)] for run in ("one", "two"))
    np.testing.assert_allclose(two, one, rtol=1e-4)


def test_several_slices_keep_the_state_whole(two_slices):
    mesh, options = meshes.make_mesh(ShardingConfig()), StepOptions(optax.sgd(1.0), make_objective())
    assert not options_on(mesh, options).shard_state
    one = meshes.make_mesh(ShardingConfig(), [device for device in jax.devices() if device.id % 2])
    assert options_on(one, options).shard_state
