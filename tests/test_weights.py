"""Files of weights: back into the same model, read by other programs, and refused by name where they do not fit."""

import json
import random
import sys
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from fastrrae import (
    MODELS,
    RRAE,
    DataConfig,
    Dataset,
    InputError,
    NetworkConfig,
    Normalisation,
    RunConfig,
    ShardingConfig,
    TrainingConfig,
    build_model,
    load_run,
    load_weights,
    train,
)
from fastrrae.trained_model import TrainedModel
from fastrrae.weights_file import SUFFIXES, read_weights, write_weights

X = np.random.default_rng(0).standard_normal((40, 6)).astype(np.float32)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("weights") / "run"
    config = RunConfig(
        "vectors",
        DataConfig("array", "/somewhere/private/x.npy"),
        RRAE(rank=2, latent_size=4),
        NetworkConfig(encoder_widths=(5,), decoder_widths=(5,)),
        training=TrainingConfig(steps=3, batch_size=8),
        sharding=ShardingConfig(data_devices=1),
    )
    train(config, Dataset(X[:30], {"test": X[30:]}, Normalisation((0.5,) * 6, (2.0,) * 6)), out)
    return load_run(out)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_model_comes_back_to_the_bit(run, suffix, tmp_path):
    path = tmp_path / f"weights{suffix}"
    run.save_weights(path)
    assert list(tmp_path.iterdir()) == [path]
    loaded = load_weights(path)
    assert type(loaded) is TrainedModel
    for method in ("reconstruct", "coefficients"):
        np.testing.assert_array_equal(getattr(loaded, method)(X), getattr(run, method)(X))
    assert loaded.config.model == run.config.model
    assert (loaded.name, loaded.normalisation) == ("rrae", run.normalisation)
    loaded.save_weights(tmp_path / f"again{suffix}")
    assert (tmp_path / f"again{suffix}").read_bytes() == path.read_bytes()


def test_other_programs_find_arrays_by_their_path_and_the_configuration(run, tmp_path):
    run.save_weights(tmp_path / "a.npz")
    run.save_weights(tmp_path / "a.safetensors")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as stored:
        arrays = dict(stored)
    facts = json.loads(str(arrays.pop("fastrrae")))["facts"]
    assert facts["sample_shape"] == [6]
    assert facts["config"]["model"]["name"] == "rrae"
    assert "private" not in json.dumps(facts)
    from safetensors.numpy import load_file

    tensors = load_file(tmp_path / "a.safetensors")
    assert set(tensors) == set(arrays)
    assert {"encoder.mlp.layers.0.kernel", "decoder.mlp.layers.1.bias", "bottleneck.basis"} <= set(tensors)
    kernel = run.model.encoder.mlp.layers[0].kernel[...]
    np.testing.assert_array_equal(tensors["encoder.mlp.layers.0.kernel"], kernel)


@pytest.mark.parametrize("name", MODELS)
def test_every_model(name, tmp_path):
    """Running statistics, an active rank and an affine map are kept too."""
    options = {"components": 2} if name == "gmm-dae" else {"adaptive_rank": True} if name == "vrrae" else {}
    network = NetworkConfig("batch-normalised", encoder_widths=(2,), decoder_widths=(2, 2))
    config = RunConfig(model=MODELS[name](rank=2, **options), network=network)
    model = build_model(config.model, (4, 4, 1), network=network)
    rng = np.random.default_rng(0)
    for variable in (v for _, v in nnx.iter_graph(model) if isinstance(v, nnx.Variable | nnx.BatchStat)):
        if jnp.issubdtype(variable[...].dtype, jnp.floating):
            variable.set_value(jnp.asarray(rng.uniform(0.5, 1, variable[...].shape), variable[...].dtype))
    if name in ("rrae", "vrrae"):
        model.bottleneck.set_basis(jnp.eye(2, model.bottleneck.latent_size))
    model.eval()
    trained = TrainedModel(config, model, Normalisation(0.0, 1.0), (4, 4, 1))
    trained.save_weights(tmp_path / "a.npz")
    x = rng.standard_normal((3, 4, 4, 1)).astype(np.float32)
    np.testing.assert_array_equal(load_weights(tmp_path / "a.npz").reconstruct(x), trained.reconstruct(x))


def test_weights_go_into_a_model_that_is_given(run, tmp_path):
    run.save_weights(tmp_path / "a.npz")
    model = build_model(run.config.model, (6,), network=run.config.network, seed=7)
    loaded = load_weights(tmp_path / "a.npz", model=model)
    assert loaded.model is model
    np.testing.assert_array_equal(loaded.reconstruct(X), run.reconstruct(X))


class OwnDecoder(nnx.Module):
    def __init__(self, rngs):
        self.layer = nnx.Linear(4, 6, rngs=rngs)

    def __call__(self, z):
        return self.layer(z)


def test_own_networks_must_be_given_again(tmp_path):
    config = RunConfig("own", model=RRAE(rank=2, latent_size=4), training=TrainingConfig(steps=2, batch_size=8))
    config = replace(config, sharding=ShardingConfig(data_devices=1))
    train(config, Dataset(X[:30], {"test": X[30:]}, Normalisation(0.0, 1.0)), tmp_path / "run", decoder=OwnDecoder)
    run = load_run(tmp_path / "run", decoder=OwnDecoder)
    run.save_weights(tmp_path / "a.npz")
    with pytest.raises(InputError, match="trained with own parts: decoder .*OwnDecoder"):
        load_weights(tmp_path / "a.npz")
    loaded = load_weights(tmp_path / "a.npz", decoder=OwnDecoder)
    np.testing.assert_array_equal(loaded.reconstruct(X), run.reconstruct(X))


def test_what_differs_from_the_model_is_named(run, tmp_path):
    run.save_weights(tmp_path / "a.npz")
    arrays, facts = read_weights(tmp_path / "a.npz")

    def refused(changed):
        write_weights(tmp_path / "b.npz", changed, facts)
        with pytest.raises(InputError) as error:
            load_weights(tmp_path / "b.npz")
        return str(error.value)

    name = "encoder.mlp.layers.0.bias"
    assert f"{name}: float32 (5,) in the model, float32 (4,) there" in refused(arrays | {name: arrays[name][:4]})
    assert "float64 (5,) there" in refused(arrays | {name: arrays[name].astype(np.float64)})
    assert f"{name}: float32 (5,) in the model, absent there" in refused({k: v for k, v in arrays.items() if k != name})
    assert "extra: absent in the model" in refused(arrays | {"extra": arrays[name]})
    with pytest.raises(InputError, match=r"decoder\.mlp\.layers\.0\.kernel: float32 \(4, 7\)"):
        wider = build_model(run.config.model, (6,), network=NetworkConfig(encoder_widths=(5,), decoder_widths=(7,)))
        load_weights(tmp_path / "a.npz", model=wider)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_damaged_files_are_refused(run, suffix, tmp_path):
    whole, path = tmp_path / f"whole{suffix}", tmp_path / f"a{suffix}"
    run.save_weights(whole)
    content, chance = whole.read_bytes(), random.Random(0)
    damaged = [b"", content[:5], content[: len(content) // 2], content[:-1], b"text\n" * 50]
    for _ in range(40):
        flipped = bytearray(content)
        flipped[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        damaged.append(bytes(flipped))
    for part in damaged:
        path.write_bytes(part)
        try:
            loaded = load_weights(path)
        except InputError as error:
            assert str(path) in str(error)
        else:  # a bit that says nothing, such as the time of an entry in an archive
            np.testing.assert_array_equal(loaded.reconstruct(X), run.reconstruct(X))


@pytest.mark.parametrize("key", ["config", "sample_shape", "normalisation"])
def test_facts_that_are_missing_or_wrong_are_refused(run, key, tmp_path):
    run.save_weights(tmp_path / "a.npz")
    arrays, facts = read_weights(tmp_path / "a.npz")
    for wrong in ({name: fact for name, fact in facts.items() if name != key}, facts | {key: "text"}):
        write_weights(tmp_path / "b.npz", arrays, wrong)
        with pytest.raises(InputError, match=r"b\.npz"):
            load_weights(tmp_path / "b.npz")


def test_files_of_others_are_named(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.zeros(3))
    with pytest.raises(InputError, match="not written by `save_weights`"):
        load_weights(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", fastrrae=np.array(json.dumps({"format": "fastrrae-weights-9"})))
    with pytest.raises(InputError, match="fastrrae-weights-9"):
        load_weights(tmp_path / "b.npz")
    np.savez(tmp_path / "c.npz", x=np.array([{}], dtype=object))
    with pytest.raises(InputError, match="damaged"):
        load_weights(tmp_path / "c.npz")
    for name, message in (("a.bin", "must end in"), ("none.npz", "is not a file")):
        with pytest.raises(InputError, match=message):
            load_weights(tmp_path / name)


def test_types_that_numpy_has_not_need_safetensors(tmp_path):
    arrays = {"encoder.kernel": np.asarray(jnp.ones((2, 3), jnp.bfloat16)).T}
    with pytest.raises(InputError, match=r"encoder\.kernel, which is bfloat16"):
        write_weights(tmp_path / "a.npz", arrays, {})
    assert not list(tmp_path.iterdir())
    write_weights(tmp_path / "a.safetensors", arrays, {"one": 1})
    found, facts = read_weights(tmp_path / "a.safetensors")
    np.testing.assert_array_equal(found["encoder.kernel"], arrays["encoder.kernel"])
    assert facts == {"one": 1}


def test_the_missing_extra_is_named(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(InputError, match=r"fastrrae\[export\]"):
        run.save_weights(tmp_path / "a.safetensors")
    assert not list(tmp_path.iterdir())
