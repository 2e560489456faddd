"""Convolutions against XLA's own, in float64, values and gradients; and the geometry that PyTorch defines."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import fastrrae.networks.convolution as module
from fastrrae.networks.convolution import convolution, transposed_convolution

pytestmark = pytest.mark.usefixtures("float64")

SPACES = [(7,), (5, 6)]
GEOMETRIES = [(window, stride, padding) for window in range(1, 6) for stride in (1, 2) for padding in {0, window // 2}]


def layout(space):
    axes = "HW"[:space]
    return f"N{axes}C", f"{axes}IO", f"N{axes}C"


def assert_same(ours, theirs, x, kernel):
    """Values and gradients; all in one program, which compiles faster than its many operations one by one."""

    @jax.jit
    def both(x, kernel, cotangent):
        results = []
        for function in (ours, theirs):
            y, pullback = jax.vjp(function, x, kernel)
            results.append((y, *pullback(cotangent)))
        return results

    shape = jax.eval_shape(theirs, x, kernel).shape
    (y, *gradients), (expected, *expected_gradients) = both(x, kernel, np.random.default_rng(1).standard_normal(shape))
    np.testing.assert_allclose(y, expected, atol=1e-12)
    for gradient, expected_gradient in zip(gradients, expected_gradients, strict=True):
        np.testing.assert_allclose(gradient, expected_gradient, atol=1e-11)


@pytest.mark.parametrize("channels", [(3, 4), (4, 2)])
@pytest.mark.parametrize(("window", "stride", "padding"), GEOMETRIES)
@pytest.mark.parametrize("sides", SPACES, ids=str)
def test_convolution(sides, window, stride, padding, channels):
    rng, space = np.random.default_rng(0), len(sides)
    x = jnp.asarray(rng.standard_normal((2, *sides, channels[0])))
    kernel = jnp.asarray(rng.standard_normal((*(window,) * space, *channels)))
    assert_same(
        lambda x, k: convolution(x, k, stride=stride, padding=padding),
        lambda x, k: lax.conv_general_dilated(
            x, k, (stride,) * space, [(padding, padding)] * space, dimension_numbers=layout(space)
        ),
        x,
        kernel,
    )


@pytest.mark.parametrize("platform", ["cpu", "accelerator"])
@pytest.mark.parametrize(("window", "stride", "padding"), GEOMETRIES)
@pytest.mark.parametrize("sides", SPACES, ids=str)
def test_transposed_convolution(sides, window, stride, padding, platform, monkeypatch):
    if platform == "accelerator":  # its form, computed here
        monkeypatch.setattr(module, "_scattered_convolution", module._adjoint_convolution)
    rng, space = np.random.default_rng(0), len(sides)
    x = jnp.asarray(rng.standard_normal((2, *sides, 3)))
    kernel = jnp.asarray(rng.standard_normal((*(window,) * space, 3, 4)))
    for output_padding in range(stride):
        ends = (window - 1 - padding, window - 1 - padding + output_padding)
        assert_same(
            lambda x, k, extra=output_padding: transposed_convolution(
                x, k, stride=stride, padding=padding, output_padding=extra
            ),
            lambda x, k, ends=ends: lax.conv_general_dilated(
                x,
                jnp.flip(k, range(space)),
                (1,) * space,
                [ends] * space,
                lhs_dilation=(stride,) * space,
                dimension_numbers=layout(space),
            ),
            x,
            kernel,
        )


def test_transposed_convolution_is_the_adjoint_of_convolution():
    rng = np.random.default_rng(0)
    large, small = rng.standard_normal((2, 8, 8, 3)), rng.standard_normal((2, 4, 4, 5))
    kernel = jnp.asarray(rng.standard_normal((3, 3, 3, 5)))
    down = convolution(jnp.asarray(large), kernel, stride=2, padding=1)
    up = transposed_convolution(jnp.asarray(small), jnp.swapaxes(kernel, -1, -2), stride=2, padding=1, output_padding=1)
    assert down.shape == small.shape
    assert up.shape == large.shape
    np.testing.assert_allclose(jnp.vdot(down, small), jnp.vdot(large, up), rtol=1e-12)


def test_other_platforms_get_xla_convolutions():
    x, kernel = jnp.zeros((1, 4, 4, 2)), jnp.zeros((3, 3, 2, 3))
    text = (
        jax.jit(lambda x, k: transposed_convolution(x, k, stride=2, padding=1, output_padding=1))
        .trace(x, kernel)
        .lower(lowering_platforms=("tpu",))
        .as_text()
    )
    assert "stablehlo.convolution" in text


def test_kernel_gradients_on_accelerators_insert_no_zeros():
    """cuDNN has no such form: XLA would run a convolution with a kernel as large as the image."""
    x, kernel = jnp.zeros((5, 8, 8, 2)), jnp.zeros((3, 3, 2, 3))
    loss = lambda x, k: jnp.sum(transposed_convolution(x, k, stride=2, padding=1, output_padding=1) ** 2)  # noqa: E731
    gradient = jax.jit(jax.grad(loss, argnums=1))
    for platform in ("cuda", "rocm", "tpu"):
        text = gradient.trace(x, kernel).lower(lowering_platforms=(platform,)).as_text()
        lines = [line for line in text.splitlines() if "stablehlo.convolution" in line and "-> tensor<3x3x" in line]
        assert ["lhs_dilate = [2, 2]" in line for line in lines] == [False]


@pytest.mark.parametrize("batch", [pytest.param(6, marks=pytest.mark.slow), 7])
def test_large_batches_go_in_slices(monkeypatch, batch):
    rng = np.random.default_rng(0)
    large, small = (jnp.asarray(rng.standard_normal(s)) for s in ((batch, 8, 8, 3), (batch, 4, 4, 3)))
    kernel = jnp.asarray(rng.standard_normal((3, 3, 3, 5)))

    def gradients():  # a new function each time, so that what is compiled is not what was compiled before
        def total(large, small, kernel):
            down = convolution(large, kernel, stride=2, padding=1)
            up = transposed_convolution(small, kernel, stride=2, padding=1, output_padding=1)
            return jnp.sum(jnp.sin(down)) + jnp.sum(jnp.sin(up))

        return jax.jit(jax.grad(total, argnums=(0, 1, 2)))

    whole = gradients()(large, small, kernel)
    monkeypatch.setattr(module, "SLICE_BYTES", 2 * 4 * 4 * 9 * 5 * 8)  # two samples of the transposed one
    sliced = gradients().lower(large, small, kernel)
    assert "while" in sliced.as_text()
    for expected, got in zip(whole, sliced.compile()(large, small, kernel), strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-12)
