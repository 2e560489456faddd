"""Methods on any number of samples: the same numbers as at once, few programs, nothing kept."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from fastrrae.models import Autoencoder, Identity
from fastrrae.models.inference import BATCH, _call, infer, infer_batches


class Doubling(nnx.Module):
    def __init__(self):
        self.factor = nnx.Param(jnp.asarray(2.0))

    def __call__(self, x):
        return self.factor[...] * x


def model():
    return Autoencoder(Doubling(), Identity(3), Doubling())


def both(model, x):
    return model.encode(x), jnp.sum(x, axis=1)


@pytest.mark.parametrize("count", [0, 1, 5, BATCH, 2 * BATCH + 7])
def test_any_number_of_rows(count):
    rows = np.arange(3.0 * count, dtype=np.float32).reshape(count, 3)
    np.testing.assert_array_equal(infer(model(), "reconstruct", rows), 4 * rows)
    encoded, sums = infer(model(), both, rows)
    np.testing.assert_array_equal(encoded, 2 * rows)
    np.testing.assert_allclose(sums, rows.sum(axis=1), rtol=1e-6)


def test_rows_are_prepared_a_slice_at_a_time():
    asked = []

    def prepare(rows):
        asked.append(len(rows))
        return np.asarray(rows, np.float32) + 1

    np.testing.assert_array_equal(infer(model(), "encode", np.zeros((10, 3)), prepare=prepare, batch_size=4), 2)
    assert asked == [4, 4, 2]


def programs() -> int:
    return _call._cache_size()  # pyright: ignore[reportAttributeAccessIssue, reportFunctionMemberAccess]


def test_one_program_for_each_structure_and_size():
    before = programs()
    for count in (9, 16, 12, 16 + BATCH):
        infer(model(), "decode", np.ones((count, 3), np.float32))
    assert programs() == before + 2  # of 16 and of BATCH rows, for four models of one structure


def test_batches_are_a_stream():
    made = []

    def batches():
        for number in range(5):
            made.append(number)
            yield np.full((4 - number // 4, 3), number, np.float32)

    stream = infer_batches(model(), "encode", batches())
    first, result = next(stream)
    assert made == [0, 1]  # the next one is under way, and no other
    np.testing.assert_array_equal(result, 2 * first)
    rest = list(stream)
    assert [len(result) for _, result in rest] == [4, 4, 4, 3]
    assert [result[0, 0] for _, result in rest] == [2, 4, 6, 8]


def test_a_model_at_inference_is_not_changed():
    encoder = Doubling()
    trained = Autoencoder(encoder, Identity(3), Doubling())
    infer(trained, "reconstruct", np.ones((3, 3), np.float32))
    assert encoder.factor[...] == 2
    encoder.factor.set_value(jnp.asarray(5.0))
    np.testing.assert_array_equal(infer(trained, "encode", np.ones((3, 3), np.float32)), 5)
