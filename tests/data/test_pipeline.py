"""The stream of batches: complete, shuffled, seeded, resumable."""

import numpy as np

from fastrrae.data import Normalisation, ordered_batches, training_batches

SAMPLES = np.arange(10.0)[:, None]
SAME = Normalisation(0.0, 1.0)


def stream(steps, *, seed=0, batch_size=4):
    return [batch[:, 0] for batch in training_batches(SAMPLES, SAME, batch_size=batch_size, seed=seed, steps=steps)]


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


def test_the_stream_resumes_where_it_was():
    whole = stream(8)
    iterator = training_batches(SAMPLES, SAME, batch_size=4, seed=0, steps=8)
    for _ in range(3):
        next(iterator)
    resumed = training_batches(SAMPLES, SAME, batch_size=4, seed=0, steps=8)
    resumed.set_state(iterator.get_state())
    np.testing.assert_array_equal([batch[:, 0] for batch in resumed], whole[3:])


def test_values_are_normalised_on_the_way():
    batches = training_batches(SAMPLES, Normalisation(4.0, 2.0), batch_size=10, seed=0, steps=1)
    np.testing.assert_allclose(np.sort(next(batches)[:, 0]), (np.arange(10) - 4) / 2)


def test_ordered_batches_cover_everything_once():
    np.testing.assert_array_equal(np.concatenate(list(ordered_batches(SAMPLES, SAME, 4))), SAMPLES)
