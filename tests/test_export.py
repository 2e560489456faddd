"""Exported programs: the numbers of the model they come from, in a process that has JAX and nothing of this package."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import export

from fastrrae import (
    MODELS,
    Autoencoder,
    InputError,
    NetworkConfig,
    Normalisation,
    RunConfig,
    TrainedModel,
    build_model,
)
from fastrrae.export import PLATFORMS, ExportedPart
from fastrrae.models.fitted_basis import FittedBasis
from fastrrae.models.gmm_dae import MixtureMatched

SHAPES = {"vectors": (6,), "signals": (9, 2), "images": (6, 7, 2)}
# Each network on samples of each kind that it takes.
NETWORKS = [("mlp", "vectors"), ("mlp", "images"), ("convolutional", "signals"), ("convolutional", "images")]
NETWORKS += [pytest.param("batch-normalised", "signals", marks=pytest.mark.slow), ("batch-normalised", "images")]
METHODS: dict[ExportedPart, str] = {"encoder": "coefficients", "decoder": "decode", "reconstruct": "reconstruct"}
BATCHES = (1, 3, 17)


def tiny(name="vrrae", network: Any = "mlp", kind="vectors", normalisation=None, **options):
    """A model as if it had been trained: its basis is that of random samples."""
    shape = SHAPES[kind]
    if "components" in MODELS[name].__dataclass_fields__:
        options["components"] = 2
    if issubclass(MODELS[name], MODELS["rrae"]):
        options["latent_size"] = 5
    widths = NetworkConfig(network, encoder_widths=(3, 4), decoder_widths=(4, 3))
    config = RunConfig(model=MODELS[name](rank=2, **options), network=widths)
    model = build_model(config.model, shape, network=widths)
    if isinstance(model.bottleneck, FittedBasis):
        random = np.random.default_rng(0).standard_normal((5, 2))
        model.bottleneck.set_basis(jnp.asarray(np.linalg.qr(random)[0].T, jnp.float32))
    model.eval()
    channels = shape[-1]
    normalisation = normalisation or Normalisation(tuple(np.arange(channels) + 3.0), tuple(np.arange(channels) + 2.0))
    return TrainedModel(config, model, normalisation, shape)


def inputs(trained, part, batch):
    shape = (trained.rank,) if part == "decoder" else trained.sample_shape
    return 4 * np.random.default_rng(batch).standard_normal((batch, *shape)).astype(np.float32)


def assert_same_numbers(trained, part, path, batch=2):
    program = export.deserialize(bytearray(path.read_bytes()))
    x = inputs(trained, part, batch)
    expected = getattr(trained, METHODS[part])(x)
    np.testing.assert_allclose(program.call(x), expected, rtol=1e-5, atol=1e-5)
    return program


@pytest.mark.parametrize(("network", "kind"), NETWORKS)
def test_every_network(network, kind, tmp_path):
    trained = tiny(network=network, kind=kind)
    trained.export(tmp_path / "a.stablehlo", "reconstruct")
    program = assert_same_numbers(trained, "reconstruct", tmp_path / "a.stablehlo")
    assert program.platforms == PLATFORMS
    assert export.is_symbolic_dim(program.in_avals[0].shape[0])
    assert program.out_avals[0].shape[0] == program.in_avals[0].shape[0]


@pytest.mark.parametrize("name", MODELS)
def test_every_model(name, tmp_path):
    trained = tiny(name)
    trained.export(tmp_path / "a.stablehlo", "reconstruct")
    assert_same_numbers(trained, "reconstruct", tmp_path / "a.stablehlo")


def test_a_lowered_rank_and_an_aligned_prior_are_in_the_program(tmp_path):
    adaptive, aligned = tiny("vrrae", adaptive_rank=True), tiny("gmm-dae")
    assert isinstance(adaptive.model.bottleneck, FittedBasis)
    assert isinstance(aligned.model.bottleneck, MixtureMatched)
    adaptive.model.bottleneck.set_active_rank(jnp.asarray(1))
    aligned.model.bottleneck.set_affine_map(np.array([[1.0, 2], [2, 1], [0, 1]]))
    for trained in (adaptive, aligned):
        trained.export(tmp_path / "a.stablehlo", "reconstruct")
        assert_same_numbers(trained, "reconstruct", tmp_path / "a.stablehlo")


ALONE = f"""
import sys

class Refused:
    def find_spec(self, name, *_):
        if name.split(".")[0] in ("fastrrae", "fastrrae_kernels", "flax", "optax", "orbax"):
            raise ImportError(name + " is not here")

sys.meta_path.insert(0, Refused())
from pathlib import Path
import jax.export, numpy as np
try:
    import fastrrae
except ImportError:
    print("alone")
for part in {tuple(METHODS)}:
    program = jax.export.deserialize(bytearray(Path(part + ".stablehlo").read_bytes()))
    x = np.load(part + ".npy")
    for batch in {BATCHES}:
        np.save(f"{{part}}-{{batch}}.npy", program.call(x[:batch]))
"""


def test_a_process_that_has_jax_alone(tmp_path):
    """Loaded with everything of this package and Flax out of reach, at three batch sizes."""
    trained = tiny(network="convolutional", kind="images")
    for part in METHODS:
        trained.export(tmp_path / f"{part}.stablehlo", part)
        np.save(tmp_path / f"{part}.npy", inputs(trained, part, max(BATCHES)))
    done = subprocess.run([sys.executable, "-c", ALONE], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "alone\n"
    for part, method in METHODS.items():
        expected = getattr(trained, method)(np.load(tmp_path / f"{part}.npy"))
        for batch in BATCHES:
            found = np.load(tmp_path / f"{part}-{batch}.npy")
            np.testing.assert_allclose(found, expected[:batch], rtol=1e-5, atol=1e-5)


def test_integers_and_their_float32_give_the_same(tmp_path):
    trained = tiny(normalisation=Normalisation(0.0, 255.0))
    trained.export(tmp_path / "a.stablehlo", "encoder")
    x = np.random.default_rng(0).integers(0, 255, (4, 6), np.uint8)
    found = export.deserialize(bytearray((tmp_path / "a.stablehlo").read_bytes())).call(x.astype(np.float32))
    np.testing.assert_allclose(found, trained.coefficients(x), rtol=1e-5, atol=1e-6)


def test_a_fixed_batch(tmp_path):
    trained = tiny()
    trained.export(tmp_path / "a.stablehlo", "decoder", batch_size=4)
    program = assert_same_numbers(trained, "decoder", tmp_path / "a.stablehlo", 4)
    with pytest.raises(ValueError, match="shape"):
        program.call(inputs(trained, "decoder", 3))


class NeedsTheBatch(nnx.Module):
    """A decoder whose program depends on how many samples there are."""

    def __init__(self, rngs):
        self.layer = nnx.Linear(5, 6, rngs=rngs)

    def __call__(self, z):
        return jnp.stack([self.layer(z[i]) for i in range(z.shape[0])])


def test_an_own_network_that_needs_a_fixed_batch_is_told_so(tmp_path):
    trained = tiny()
    own = NeedsTheBatch(nnx.Rngs(0))
    trained = replace(trained, model=Autoencoder(trained.model.encoder, trained.model.bottleneck, own))
    with pytest.raises(InputError, match="give `batch_size`"):
        trained.export(tmp_path / "a.stablehlo", "decoder")
    assert not list(tmp_path.iterdir())
    trained.export(tmp_path / "a.stablehlo", "decoder", batch_size=2)
    assert_same_numbers(trained, "decoder", tmp_path / "a.stablehlo", 2)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("a.onnx", {}, "`path` must end in .stablehlo"),
        ("no/a.stablehlo", {}, "does not exist"),
        ("a.stablehlo", {"part": "middle"}, "`part` must be one of encoder, decoder, reconstruct"),
        ("a.stablehlo", {"batch_size": 0}, "`batch_size` must be at least 1"),
    ],
)
def test_what_cannot_be_exported_is_said(name, arguments, message, tmp_path):
    with pytest.raises(InputError, match=message):
        tiny().export(tmp_path / name, **arguments)
    assert not list(tmp_path.iterdir())


def test_values_that_float32_cannot_tell_apart_are_refused(tmp_path):
    trained = tiny(normalisation=Normalisation(1e9, 1.0))
    with pytest.raises(InputError, match="float32 cannot tell them apart"):
        trained.export(tmp_path / "a.stablehlo")


def test_the_missing_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "flatbuffers", None)
    with pytest.raises(InputError, match=r"fastrrae\[export\]"):
        tiny().export(tmp_path / "a.stablehlo")


def test_a_batch_of_any_size_does_not_change_how_known_ones_are_cut():
    """Large batches go through convolutions in slices; an unknown one cannot."""
    from fastrrae.networks import convolution

    (batch,) = export.symbolic_shape("batch")
    assert convolution._slices(jax.ShapeDtypeStruct((batch, 4, 4, 2), jnp.float32), 10**9) == 1
    assert convolution._slices(jax.ShapeDtypeStruct((8, 4, 4, 2), jnp.float32), 10**9) == 8


def test_the_file_is_replaced_whole(tmp_path):
    path = Path(tmp_path / "a.stablehlo")
    path.write_bytes(b"before")
    tiny().export(path)
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() != b"before"
