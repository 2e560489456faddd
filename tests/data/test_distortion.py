"""Distorted images against SciPy's affine transform, and what may not depend on anything but seed and step."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.ndimage
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from fastrrae import AE, InputError, NetworkConfig, build_model, make_objective
from fastrrae.data import distortion
from fastrrae.data.distortion import Distortion
from fastrrae.plan.collectives import collectives_of
from fastrrae.training.step import StepOptions, start_training

X = np.random.default_rng(0).uniform(size=(8, 11, 14, 2)).astype(np.float32)


def slowly(x, strength, seed, step):
    """Image by image, channel by channel: `out[p] = x[A (p - centre) + centre + shift]`."""
    key = jax.random.fold_in(jax.random.key(seed), step)
    numbers = strength * np.asarray(jax.random.uniform(key, (6, len(x), 1, 1), minval=-1, maxval=1), np.float64)
    out = np.empty_like(x)
    for i, (rotation, shear, widen, heighten, across, down) in enumerate(numbers.reshape(6, -1).T):
        c, s = np.cos(distortion.ROTATION * rotation), np.sin(distortion.ROTATION * rotation)
        scale = np.diag(np.exp(distortion.SCALE * np.array([heighten, widen])))
        matrix = scale @ [[c, -s], [s, c]] + [[0, 0], [distortion.SHEAR * shear, 0]]  # (row, column)
        size = np.array(x.shape[1:3])
        centre, shift = (size - 1) / 2, distortion.SHIFT * np.array([down, across]) * size
        offset = centre + shift - matrix @ centre
        for channel in range(x.shape[3]):
            out[i, ..., channel] = scipy.ndimage.affine_transform(
                x[i, ..., channel],
                matrix,
                offset,  # pyright: ignore[reportArgumentType]
                order=1,
                mode="nearest",
            )
    return out


def test_it_is_an_affine_transform_of_each_image():
    np.testing.assert_allclose(Distortion(1.3, seed=4)(jnp.asarray(X), 7), slowly(X, 1.3, 4, 7), atol=1e-5)


def test_none_leaves_images_as_they_are():
    np.testing.assert_allclose(Distortion(0.0)(jnp.asarray(X), 0), X, atol=1e-6)


def test_it_depends_on_seed_and_step_alone():
    first = Distortion(1.0, seed=1)(jnp.asarray(X), 5)
    np.testing.assert_array_equal(first, Distortion(1.0, seed=1)(jnp.asarray(X), jnp.asarray(5)))
    for other in (Distortion(1.0, seed=1)(jnp.asarray(X), 6), Distortion(1.0, seed=2)(jnp.asarray(X), 5)):
        assert not np.allclose(first, other)


def test_on_several_devices_each_distorts_its_own_images():
    mesh = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Auto,))
    rows = NamedSharding(mesh, PartitionSpec("data"))
    distort = jax.jit(lambda x: Distortion(1.0)(x, 3), in_shardings=rows, out_shardings=rows)
    np.testing.assert_allclose(distort(X), Distortion(1.0)(jnp.asarray(X), 3), atol=1e-6)
    program = distort.lower(X).compile().as_text()
    assert program
    assert not collectives_of(program)


@pytest.mark.parametrize("accumulate", [1, 4])
def test_training_wants_the_images_as_they_were(accumulate):
    """The loss of a step, by hand: encoded as distorted, compared with the original."""
    distort = Distortion(1.0, seed=2)
    model = build_model(AE(rank=3), X.shape[1:], network=NetworkConfig("mlp"))
    seen = distort(jnp.asarray(X), 0)
    expected = np.mean((np.asarray(model(seen).reconstruction) - X) ** 2)
    objective = make_objective(reconstruction="mse")
    options = StepOptions(optax.sgd(1e-3), objective, distortion=distort, accumulate=accumulate)
    state, step = start_training(model, options)
    np.testing.assert_allclose(step(state, X)[1]["loss"], expected, rtol=1e-5)


def test_samples_that_are_no_images_are_refused():
    with pytest.raises(
        InputError, match=r"`training.distort` is for images, samples of shape \(H, W, C\); got \(12,\)"
    ):
        Distortion(1.0)(jnp.zeros((4, 12)), 0)
