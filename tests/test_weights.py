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
    InputError,
    NetworkConfig,
    Normalisation,
    RunConfig,
    TrainedModel,
    build_model,
    load_weights,
)
from fastrrae.models.fitted_basis import FittedBasis
from fastrrae.training.own_parts import OwnParts
from fastrrae.weights_file import SUFFIXES, read_weights, write_weights

X = np.random.default_rng(0).standard_normal((40, 6)).astype(np.float32)


NARROW = NetworkConfig("mlp", encoder_widths=(5,), decoder_widths=(5,))


def trained_model(config, shape, *, own_decoder=None):
    """A model as if it had been trained: all of its variables are random numbers, the basis orthonormal."""
    model = OwnParts(decoder=own_decoder).build(config, shape)
    rng = np.random.default_rng(1)
    for _, variable in nnx.iter_graph(model):
        if isinstance(variable, nnx.Variable) and jnp.issubdtype(variable[...].dtype, jnp.floating):
            variable.set_value(jnp.asarray(rng.uniform(0.5, 1, variable[...].shape), variable[...].dtype))
    if isinstance(model.bottleneck, FittedBasis):
        model.bottleneck.set_basis(jnp.eye(model.bottleneck.rank, model.bottleneck.latent_size))
    model.eval()
    return TrainedModel(config, model, Normalisation((0.5,) * shape[-1], (2.0,) * shape[-1]), shape)


@pytest.fixture(scope="module")
def run():
    data = DataConfig("array", "/somewhere/private/x.npy")
    return trained_model(RunConfig("vectors", data, RRAE(rank=2, latent_size=4), NARROW), (6,))


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
    """An active rank, an affine map and the vectors of spectral normalisation are kept too."""
    options = {"gmm-dae": {"components": 2}, "vrrae": {"adaptive_rank": True}}.get(name, {})
    trained = trained_model(RunConfig(model=MODELS[name](rank=2, **options), network=NARROW), (6,))
    trained.save_weights(tmp_path / "a.npz")
    np.testing.assert_array_equal(load_weights(tmp_path / "a.npz").reconstruct(X), trained.reconstruct(X))


def test_running_statistics(tmp_path):
    network = NetworkConfig("batch-normalised", encoder_widths=(2,), decoder_widths=(2, 2))
    trained = trained_model(RunConfig(model=RRAE(rank=2, latent_size=4), network=network), (4, 4, 1))
    trained.save_weights(tmp_path / "a.npz")
    x = np.random.default_rng(0).standard_normal((3, 4, 4, 1)).astype(np.float32)
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
    parts = OwnParts(decoder=OwnDecoder)
    config = RunConfig("own", model=RRAE(rank=2, latent_size=4), network=NARROW)
    config = replace(config, own_parts=parts.describe(parts.build(config, (6,))))
    run = trained_model(config, (6,), own_decoder=OwnDecoder)
    run.save_weights(tmp_path / "a.npz")
    with pytest.raises(InputError, match=r"trained with parts of your own: decoder .*OwnDecoder"):
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
    wider = build_model(run.config.model, (6,), network=replace(NARROW, decoder_widths=(7,)))
    with pytest.raises(InputError, match=r"decoder\.mlp\.layers\.0\.kernel: float32 \(4, 7\)"):
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
        loaded, message = loaded_or_refused(path)
        if loaded is None:
            assert str(path) in message
        else:  # a bit that says nothing, such as the time of an entry in an archive
            np.testing.assert_array_equal(loaded.reconstruct(X), run.reconstruct(X))


def loaded_or_refused(path):
    try:
        return load_weights(path), ""
    except InputError as error:
        return None, str(error)


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
