"""Networks with kernels of 4: geometry of the papers; batch normalisation does not leak into inference."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from fastrrae import AE, RECIPES, NetworkConfig, build_model, make_objective
from fastrrae.networks.batch_normalised import BatchNormalisedDecoder, BatchNormalisedEncoder
from fastrrae.training.forward import make_forward
from fastrrae.training.step import StepOptions, finish_training, start_training

SMALL = NetworkConfig("batch-normalised", encoder_widths=(4, 5), decoder_widths=(6, 5))
X = np.random.default_rng(0).standard_normal((12, 7, 9, 2)).astype(np.float32)


def test_the_table_of_the_paper():
    """RAE, table C, MNIST padded to 32: 128 256 512 1024, and back from 8 x 8 x 1024."""
    encoder = nnx.eval_shape(lambda: BatchNormalisedEncoder((32, 32, 1), 16, rngs=nnx.Rngs(0)))
    shapes = [layer.kernel.shape for layer in encoder.convolutions]
    assert shapes == [(4, 4, 1, 128), (4, 4, 128, 256), (4, 4, 256, 512), (4, 4, 512, 1024)]
    assert encoder.project.kernel.shape == (2 * 2 * 1024, 16)
    decoder = nnx.eval_shape(lambda: BatchNormalisedDecoder(16, (32, 32, 1), rngs=nnx.Rngs(0)))
    assert decoder.project.kernel.shape == (16, 8 * 8 * 1024)
    assert [layer.kernel.shape for layer in decoder.upsampling] == [(4, 4, 1024, 512), (4, 4, 512, 256)]
    assert decoder.output.kernel.shape == (4, 4, 256, 1)


def test_the_networks_of_the_irmae_paper():
    """Its table 1, MNIST: 32 64 128 256 to 1024 values and 128; back from 8 x 8 x 128 (8192, where it prints 8096)."""
    config = RECIPES["irmae-mnist"].config
    model: Any = nnx.eval_shape(lambda: build_model(config.model, (32, 32, 1), network=config.network))
    encoder, decoder = model.encoder, model.decoder
    shapes = [layer.kernel.shape for layer in encoder.convolutions]
    assert shapes == [(4, 4, 1, 32), (4, 4, 32, 64), (4, 4, 64, 128), (4, 4, 128, 256)]
    assert encoder.project.kernel.shape == (1024, 128)
    assert decoder.project.kernel.shape == (128, 8192)
    assert [layer.kernel.shape for layer in decoder.upsampling] == [(4, 4, 128, 64), (4, 4, 64, 32)]
    assert not any(isinstance(module, nnx.BatchNorm) for _, module in nnx.iter_modules(model))


@pytest.mark.parametrize("shape", [(28, 28, 1), (32, 32, 3), (9, 13, 2), (1, 1, 1), (50, 2), (7, 1)], ids=str)
def test_any_sample_shape_comes_back(shape):
    output = nnx.eval_shape(lambda: build_model(AE(rank=3), shape, network=SMALL)(jnp.ones((4, *shape))))
    assert output.reconstruction.shape == (4, *shape)


def trained(**options):
    model = build_model(AE(rank=3), X.shape[1:], network=SMALL)
    state, step = start_training(model, StepOptions(optax.adam(3e-3), make_objective(), **options))
    losses = []
    for _ in range(30):
        state, metrics = step(state, X)
        losses.append(float(metrics["loss"]))
    finish_training(model, state)
    return model, losses


@pytest.mark.parametrize(
    "options", [{}, {"accumulate": 2}, {"forward": make_forward(remat=True)}, {"forward": make_forward(bfloat16=True)}]
)
def test_running_statistics_are_learned_and_used_at_inference(options):
    model, losses = trained(**options)
    assert losses[-1] < losses[0]
    encoder: Any = model.encoder
    mean = np.asarray(encoder.normalisations[0].norm.mean[...])
    assert np.any(mean)
    model.train()
    alone = model.reconstruct(X[:1])  # inference, whatever the mode
    np.testing.assert_allclose(alone, model.reconstruct(X)[:1], atol=1e-4)
    np.testing.assert_array_equal(encoder.normalisations[0].norm.mean[...], mean)
    model.eval()
    np.testing.assert_allclose(model(jnp.asarray(X[:1])).reconstruction, alone, atol=1e-5)
