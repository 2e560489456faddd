"""The stream of batches: complete, shuffled, seeded, resumable."""

import json
import sys
from dataclasses import asdict

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl import flags

from fastrrae import DataConfig, InputError, load_dataset
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


def test_normalisation_of_each_feature_is_the_same_on_the_host_and_on_the_device():
    normalisation = Normalisation((1.0, 2.0, 3.0), (0.5, 4.0, 10.0))
    raw = np.arange(60, dtype=np.float32).reshape(5, 4, 3)
    on_device = jax.jit(normalisation.apply_on_device)(raw)
    np.testing.assert_allclose(on_device, normalisation.apply(raw), rtol=1e-6)
    np.testing.assert_allclose(normalisation.apply(raw), (raw - [1, 2, 3]) / [0.5, 4, 10], rtol=1e-6)
    np.testing.assert_allclose(normalisation.invert(normalisation.apply(raw)), raw, rtol=1e-6)
    assert hash(normalisation) == hash(Normalisation([1, 2, 3], np.array([0.5, 4, 10])))  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("normalisation", [Normalisation(4.0, 2.5), Normalisation((1.0, 2.0), (3.0, 4.0))])
def test_normalisation_as_json(normalisation):
    written = json.loads(json.dumps(normalisation.as_json()))
    assert Normalisation.from_json(written) == normalisation
    assert Normalisation(**json.loads(json.dumps(asdict(normalisation)))) == normalisation
    assert written == normalisation.as_json()


def test_the_sources_are_normalised_to_the_same_bits_as_ever():
    """Their normalisation, and the arithmetic on float32 and bytes, of the first version."""
    digits, gaussians = (load_dataset(DataConfig(source)) for source in ("digits", "gaussians"))
    assert digits.normalisation == Normalisation(0.0, 16.0)
    train = np.asarray(gaussians.train)
    offset, scale = float(train.mean(dtype=np.float64)), float(train.std(dtype=np.float64))
    assert gaussians.normalisation == Normalisation(offset, scale)
    expected = (train - np.float32(offset)) * np.float32(1 / scale)
    np.testing.assert_array_equal(gaussians.normalisation.apply(train), expected)
    assert gaussians.normalisation.invert(expected).dtype == np.float32
    pixels = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(
        Normalisation(0.0, 255.0).apply(pixels), pixels.astype(np.float32) * np.float32(1 / 255.0)
    )


def test_batches_can_be_normalised_before_they_are_moved():
    samples = 1.7e9 + SAMPLES
    normalisation = Normalisation(1.7e9, 2.0)
    batches = training_batches(samples, batch_size=4, seed=0, steps=5, normalisation=normalisation)
    np.testing.assert_array_equal([batch[:, 0] for batch in batches], np.asarray(stream(5), np.float32) / 2)


@pytest.mark.parametrize("options", [{"workers": -1}, {"seed": -1}, {"batch_size": 0}])
def test_a_stream_that_cannot_be(options):
    with pytest.raises(InputError, match="`workers` and `seed` must be at least 0"):
        training_batches(SAMPLES, **{"batch_size": 4, "seed": 0, "steps": 5} | options)


def test_a_script_that_worker_processes_would_run_again_is_refused(tmp_path, monkeypatch):
    """They import it, and it would start to train and to wait for workers of its own."""
    script = tmp_path / "train.py"
    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(script), raising=False)
    script.write_text("from fastrrae import train\ntrain()\n")
    with pytest.raises(InputError, match='put what the script does under `if __name__ == "__main__":`'):
        training_batches(SAMPLES, batch_size=4, seed=0, steps=5, workers=1)


@pytest.mark.slow
def test_worker_processes_read_the_same_batches_and_leave_the_flags_of_absl_alone():
    parsed = flags.FLAGS.is_parsed()
    read = training_batches(SAMPLES, batch_size=4, seed=0, steps=5, workers=1, place=jnp.asarray)
    np.testing.assert_array_equal([batch[:, 0] for batch in read], np.asarray(stream(5), np.float32))
    assert flags.FLAGS.is_parsed() == parsed
