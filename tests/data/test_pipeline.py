"""The stream of batches: complete, shuffled, seeded, resumable."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fastrrae.data import Normalisation, Share, ordered_batches, training_batches

SAMPLES = np.arange(10.0)[:, None]
SAME = Normalisation(0.0, 1.0)


def stream(steps, *, seed=0, batch_size=4):
    return [batch[:, 0] for batch in training_batches(SAMPLES, batch_size=batch_size, seed=seed, steps=steps)]


def test_every_epoch_has_every_sample_once_in_an_order_of_its_own():
    values = np.concatenate(stream(10))
    epochs = values.reshape(4, 10)
    for epoch in epochs:
        assert sorted(epoch) == list(range(10))
    assert len({tuple(epoch) for epoch in epochs}) == 4


def test_the_seed_determines_the_order():
    np.testing.assert_array_equal(stream(6), stream(6))
    assert not np.array_equal(stream(6), stream(6, seed=1))


def test_a_batch_may_be_larger_than_the_set():
    assert sorted(stream(1, batch_size=20)[0]) == sorted([*range(10), *range(10)])


@pytest.mark.parametrize("start", [0, 3, 7])
def test_the_stream_resumes_at_any_batch(start):
    resumed = training_batches(SAMPLES, batch_size=4, seed=0, steps=8, start=start)
    np.testing.assert_array_equal([batch[:, 0] for batch in resumed], stream(8)[start:])


@pytest.mark.parametrize("processes", [1, 2, 4])
def test_the_shares_of_all_processes_are_the_batch(processes):
    shares = [
        list(training_batches(SAMPLES, batch_size=4, seed=0, steps=5, share=Share(index, processes)))
        for index in range(processes)
    ]
    np.testing.assert_array_equal(np.concatenate(shares, axis=1)[..., 0], stream(5))


def test_batches_can_be_placed_ahead_of_their_use():
    placed = training_batches(SAMPLES, batch_size=4, seed=0, steps=5, place=jnp.asarray)
    batches = list(placed)
    assert all(isinstance(batch, jax.Array) for batch in batches)
    np.testing.assert_array_equal(np.stack(batches)[..., 0], np.asarray(stream(5), np.float32))


def test_ordered_batches_cover_everything_once():
    np.testing.assert_array_equal(np.concatenate(list(ordered_batches(SAMPLES, SAME, 4))), SAMPLES)


@pytest.mark.parametrize("processes", [1, 3])
def test_ordered_shares_cover_everything_once(processes):
    parts = [
        batch for index in range(processes) for batch in ordered_batches(SAMPLES, SAME, 2, Share(index, processes))
    ]
    np.testing.assert_array_equal(np.concatenate(parts), SAMPLES)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_normalisation_is_the_same_on_the_host_and_on_the_device(dtype):
    normalisation = Normalisation(4.0, 2.5)
    raw = np.arange(200, dtype=dtype)
    on_device = jax.jit(normalisation.apply_on_device)(raw)
    np.testing.assert_allclose(on_device, normalisation.apply(raw), rtol=1e-6)
    np.testing.assert_allclose(normalisation.apply(raw), (raw.astype(float) - 4) / 2.5, rtol=1e-6)
