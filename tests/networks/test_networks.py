"""Networks: sizes, parameter counts, initialisation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from fastrrae import AE, MODELS, RRAE, VRRAE, InputError, NetworkConfig, build_model
from fastrrae.networks import ConvolutionalDecoder, ConvolutionalEncoder


def parameter_count(model):
    return sum(leaf.size for leaf in jax.tree.leaves(nnx.state(model, nnx.Param)))


def test_the_authors_parameter_counts():
    assert parameter_count(build_model(RRAE(rank=2, latent_size=200), (64, 64, 1))) == 3_806_969
    assert parameter_count(build_model(VRRAE(rank=2, latent_size=200), (64, 64, 1))) == 3_806_975


@pytest.mark.parametrize(
    "shape",
    [(64, 64, 1), (28, 28, 1), (32, 32, 3), (8, 8, 1), (9, 13, 2), (1, 1, 1), (50, 2), (7, 1), (12,), (1,)],
    ids=str,
)
@pytest.mark.parametrize("model", ["ae", "vae", "rrae", "vrrae"])
def test_any_sample_shape_comes_back(shape, model):
    options = MODELS[model](rank=3, **({"latent_size": 10} if "rrae" in model else {}))
    output = nnx.eval_shape(lambda: build_model(options, shape)(jnp.ones((4, *shape))))
    assert output.reconstruction.shape == (4, *shape)
    assert output.latent.mean.shape == (4, 3)


@pytest.mark.parametrize(("side", "start", "kernel_size"), [(28, 2, 5), (32, 2, 1), (64, 4, 1), (160, 10, 1)])
def test_decoder_geometry_of_the_authors(side, start, kernel_size):
    decoder = ConvolutionalDecoder(5, (side, side, 1), rngs=nnx.Rngs(0))
    assert decoder.start_shape == (start, start, 32)
    assert decoder.output.kernel[...].shape == (kernel_size, kernel_size, 8, 1)


def test_widths_are_options():
    encoder = ConvolutionalEncoder((16, 16, 1), 7, widths=(4, 5, 6), rngs=nnx.Rngs(0))
    assert encoder(jnp.zeros((2, 16, 16, 1))).shape == (2, 7)
    assert [layer.kernel[...].shape[-1] for layer in encoder.convolutions] == [4, 5, 6]
    network = NetworkConfig("mlp", encoder_widths=(5,), decoder_widths=(6, 7))
    assert parameter_count(build_model(AE(rank=2), (10,), network=network)) == (11 * 5 + 6 * 2) + (
        3 * 6 + 7 * 7 + 8 * 10
    )


def test_initial_weights_and_biases_are_uniform_within_fan_in():
    encoder = ConvolutionalEncoder((64, 64, 1), 200, rngs=nnx.Rngs(0))
    for parameter, fan_in in [
        (encoder.convolutions[1].kernel, 9 * 32),
        (encoder.convolutions[1].bias, 9 * 32),
        (encoder.project.kernel, 16 * 16 * 64),
        (encoder.project.bias, 16 * 16 * 64),
    ]:
        values, bound = np.asarray(parameter[...]), fan_in**-0.5
        assert np.abs(values).max() <= bound
        assert np.abs(values).max() > 0.9 * bound
        np.testing.assert_allclose(values.std(), bound / np.sqrt(3), rtol=0.25)


def test_a_shape_that_does_not_fit_is_refused():
    with pytest.raises(InputError, match=r"convolutional network needs .* got \(5,\)"):
        build_model(AE(rank=2), (5,), network=NetworkConfig("convolutional"))
    with pytest.raises(InputError, match=r"`model.rank` must be at most `model.latent_size` = 4; got 5"):
        VRRAE(rank=5, latent_size=4)
