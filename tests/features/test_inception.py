"""Inception-v3: every convolution by name, shape and count; its arithmetic against a slow reference."""

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.signal

from fastrrae import InputError
from fastrrae.features import load_features
from fastrrae.features.inception import Inception, _fold
from fastrrae.features.inception_network import BlockA, InceptionNetwork, Unit

# Convolutions, and channels that come out, of each part (Szegedy et al. 2016, as in PyTorch's weights).
PARTS = {
    "Conv2d_1a_3x3": (1, 32),
    "Conv2d_2a_3x3": (1, 32),
    "Conv2d_2b_3x3": (1, 64),
    "Conv2d_3b_1x1": (1, 80),
    "Conv2d_4a_3x3": (1, 192),
    "Mixed_5b": (7, 256),
    "Mixed_5c": (7, 288),
    "Mixed_5d": (7, 288),
    "Mixed_6a": (4, 768),
    "Mixed_6b": (10, 768),
    "Mixed_6c": (10, 768),
    "Mixed_6d": (10, 768),
    "Mixed_6e": (10, 768),
    "Mixed_7a": (6, 1280),
    "Mixed_7b": (9, 2048),
    "Mixed_7c": (9, 2048),
}


@pytest.fixture(scope="module")
def weights():
    """Random weights by their names in PyTorch."""
    rng = np.random.default_rng(0)
    arrays = {"fc.weight": np.zeros((1000, 2048), np.float32)}
    for name, unit in InceptionNetwork("torchvision").units():
        height, width, inputs, outputs = unit.kernel[...].shape
        size = np.sqrt(2 / (height * width * inputs))
        arrays[f"{name}.conv.weight"] = (size * rng.standard_normal((outputs, inputs, height, width))).astype("f4")
        for part in ("weight", "running_var"):
            arrays[f"{name}.bn.{part}"] = rng.uniform(0.8, 1.2, outputs).astype("f4")
        for part in ("bias", "running_mean"):
            arrays[f"{name}.bn.{part}"] = (0.1 * rng.standard_normal(outputs)).astype("f4")
    return arrays


def test_layer_by_layer(weights):
    units = dict(InceptionNetwork("torchvision").units())
    counts = {part: sum(name.split(".")[0] == part for name in units) for part in PARTS}
    assert counts == {part: count for part, (count, _) in PARTS.items()}
    # 27,161,264 parameters of the whole network, less 3,326,696 of its auxiliary and 2,049,000 of its last layer
    kernels = sum(unit.kernel[...].size + 2 * unit.bias[...].size for unit in units.values())
    assert kernels == 27_161_264 - 3_326_696 - 2_049_000
    assert weights["Mixed_6b.branch7x7_2.conv.weight"].shape == (128, 128, 1, 7)
    assert weights["Mixed_7c.branch3x3_2b.conv.weight"].shape == (384, 384, 3, 1)


@pytest.mark.slow
def test_sides_and_channels_of_every_part(weights):
    x = jnp.zeros((1, 299, 299, 3))
    network = InceptionNetwork("fid")
    sides = {"Conv2d_1a_3x3": 149, "Conv2d_4a_3x3": 71, "Mixed_5d": 35, "Mixed_6e": 17, "Mixed_7c": 8}
    seen = {}
    for part, (_, channels) in PARTS.items():
        x = jnp.zeros(getattr(network, part)(x).shape)
        assert x.shape[-1] == channels
        seen[part] = x.shape[1]
        if part in ("Conv2d_2b_3x3", "Conv2d_4a_3x3"):  # a pooling follows
            x = x[:, : (x.shape[1] - 1) // 2, : (x.shape[1] - 1) // 2]
    assert {part: seen[part] for part in sides} == sides


def test_a_unit_is_convolution_normalisation_and_relu(weights):
    rng = np.random.default_rng(1)
    unit = Unit(2, 3, (1, 3), padding=(0, 1))
    weight = rng.standard_normal((3, 2, 1, 3)).astype(np.float32)
    scale, variance = rng.uniform(0.5, 2, (2, 3)).astype(np.float32)
    offset, mean = rng.standard_normal((2, 3)).astype(np.float32)
    _fold(unit, weight, scale, offset, mean, variance)
    x = rng.standard_normal((1, 4, 5, 2)).astype(np.float32)
    convolved = np.stack(
        [sum(scipy.signal.correlate2d(x[0, :, :, i], weight[o, i], "same") for i in range(2)) for o in range(3)],
        axis=-1,
    )
    expected = np.maximum(scale * (convolved - mean) / np.sqrt(variance + 1e-3) + offset, 0)
    np.testing.assert_allclose(unit(jnp.asarray(x))[0], expected, rtol=1e-4, atol=1e-5)


def test_the_variants_differ_at_the_border_alone():
    x = np.random.default_rng(2).standard_normal((1, 9, 9, 192)).astype(np.float32)
    blocks = [BlockA(192, 32, variant) for variant in ("torchvision", "fid")]
    for block in blocks:
        block.branch_pool.kernel.set_value(jnp.ones((1, 1, 192, 32)) / 192)
    ours, fid = (np.asarray(block(jnp.abs(x)))[0, ..., -1] for block in blocks)
    np.testing.assert_allclose(ours[1:-1, 1:-1], fid[1:-1, 1:-1], rtol=1e-5)
    np.testing.assert_allclose(ours[0, 4] * 9 / 6, fid[0, 4], rtol=1e-5)
    np.testing.assert_allclose(ours[0, 0] * 9 / 4, fid[0, 0], rtol=1e-5)


def test_weights_from_a_file(weights, tmp_path):
    path = tmp_path / "inception.npz"
    np.savez(path, **weights)
    found = load_features(path)
    assert isinstance(found, Inception)
    assert found.variant == "torchvision"
    images = np.random.default_rng(3).integers(0, 255, (3, 28, 28, 1)).astype(np.uint8)
    features = found(images)
    assert features.shape == (3, 2048)
    assert np.isfinite(features).all()
    scaled = found.for_range(0, 1)(images.astype(np.float32) / 255)
    np.testing.assert_allclose(scaled, features, rtol=1e-3, atol=1e-4)
    colour = found(np.repeat(images, 3, axis=-1))
    np.testing.assert_allclose(colour, features, rtol=1e-3, atol=1e-4)
    with pytest.raises(InputError, match=r"takes images \(height, width, 1 or 3 channels\); got \(10,\)"):
        found(np.zeros((2, 10)))
    fid = Inception.from_arrays({**weights, "fc.weight": np.zeros((1008, 2048))}, path)
    assert fid.variant == "fid"
    assert fid.describe()["sha256"] != found.describe()["sha256"]


def test_missing_and_misshapen_weights_are_named(weights, tmp_path):
    name = "Mixed_6b.branch7x7_2.conv.weight"
    with pytest.raises(InputError, match=rf"{name} in .* is missing; Inception-v3 has \(128, 128, 1, 7\) there"):
        Inception.from_arrays({k: v for k, v in weights.items() if k != name}, tmp_path)
    with pytest.raises(InputError, match=rf"{name} in .* has shape \(128, 128, 7, 1\)"):
        Inception.from_arrays({**weights, name: weights[name].swapaxes(2, 3)}, tmp_path)
