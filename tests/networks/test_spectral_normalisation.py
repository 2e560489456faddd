"""Spectral normalisation against the SVD."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from fastrrae import RAE, RAESN, NetworkConfig, build_model
from fastrrae.networks.layers import Conv, linear
from fastrrae.networks.spectral_normalisation import SpectrallyNormalised, normalise_spectrally

X = jnp.asarray(np.random.default_rng(0).standard_normal((6, 9)), jnp.float32)


def test_the_kernel_is_divided_by_its_largest_singular_value():
    layer = SpectrallyNormalised(linear(9, 5, rngs=nnx.Rngs(1)), rngs=nnx.Rngs(2))
    for _ in range(200):
        layer(X)
    kernel, bias = np.asarray(layer.layer.kernel[...]), np.asarray(layer.layer.bias[...])
    np.testing.assert_allclose(layer(X), X @ (kernel / np.linalg.norm(kernel, 2)) + bias, rtol=1e-4, atol=1e-5)


def test_spatial_sizes_of_a_kernel_count_as_rows():
    layer = SpectrallyNormalised(Conv(2, 3, (3, 3), padding=1, rngs=nnx.Rngs(1)), rngs=nnx.Rngs(2))
    x = jnp.ones((1, 4, 4, 2))
    for _ in range(200):
        layer(x)
    kernel = layer.layer.kernel[...]
    norm = np.linalg.norm(np.asarray(kernel).reshape(-1, 3), 2)
    expected = (layer.layer(x) - layer.layer.bias[...]) / norm + layer.layer.bias[...]
    np.testing.assert_allclose(layer(x), expected, rtol=1e-4, atol=1e-5)


def test_the_derivative_counts_the_norm():
    """Once converged, the gradient is that of dividing by the norm of the SVD."""
    layer = SpectrallyNormalised(linear(9, 5, rngs=nnx.Rngs(1)), rngs=nnx.Rngs(2))
    for _ in range(500):
        layer(X)
    layer.eval()
    gradient = nnx.grad(lambda layer: jnp.sum(jnp.sin(layer(X))))(layer)["layer"]["kernel"]
    bias = layer.layer.bias[...]

    def exact(kernel):
        return jnp.sum(jnp.sin(X @ (kernel / jnp.linalg.norm(kernel, 2)) + bias))

    np.testing.assert_allclose(gradient[...], jax.grad(exact)(layer.layer.kernel[...]), rtol=1e-3, atol=1e-5)


def test_inference_changes_nothing():
    layer = SpectrallyNormalised(linear(9, 5, rngs=nnx.Rngs(1)), rngs=nnx.Rngs(2))
    layer.eval()
    before = np.asarray(layer.direction[...])
    np.testing.assert_array_equal(layer(X), layer(X))
    np.testing.assert_array_equal(layer.direction[...], before)


@pytest.mark.parametrize("network", ["mlp", "convolutional", pytest.param("batch-normalised", marks=pytest.mark.slow)])
@pytest.mark.parametrize("where", ["auto", "both", "none"])
def test_every_layer_of_a_network_is_wrapped(network, where):
    small = NetworkConfig(network, encoder_widths=(4, 5), decoder_widths=(6, 5), spectral_norm=where)
    model = build_model(RAESN(rank=3), (8, 8, 1), network=small)
    plain = build_model(RAE(rank=3), (8, 8, 1), network=NetworkConfig(network, (4, 5), (6, 5)))

    def wrapped(module):
        return sum(isinstance(part, SpectrallyNormalised) for _, part in nnx.iter_modules(module))

    def kernels(module):
        return sum(hasattr(part, "kernel") for _, part in nnx.iter_modules(module))

    assert wrapped(model.decoder) == (kernels(plain.decoder) if where != "none" else 0)
    assert wrapped(model.encoder) == (kernels(plain.encoder) if where == "both" else 0)
    assert model(jnp.ones((4, 8, 8, 1))).reconstruction.shape == (4, 8, 8, 1)


def test_a_network_of_ones_own():
    class Own(nnx.Module):
        def __init__(self, rngs):
            self.first, self.second = nnx.Linear(3, 4, rngs=rngs), nnx.Linear(4, 2, rngs=rngs)

        def __call__(self, x):
            return self.second(nnx.relu(self.first(x)))

    network = Own(nnx.Rngs(0))
    normalise_spectrally(network, rngs=nnx.Rngs(1))
    assert isinstance(network.first, SpectrallyNormalised)
    assert network(jnp.ones((5, 3))).shape == (5, 2)
