"""Directions of attributes: found, made independent of each other, and drawn."""

import numpy as np
import pytest

from fastrrae import AE, Dataset, InputError, NetworkConfig, Normalisation, RunConfig, TrainingConfig, load_run, train
from fastrrae.evaluation.attribute_directions import attribute_directions, draw_attributes


@pytest.fixture
def attributes():
    """Two that mostly come together."""
    rng = np.random.default_rng(0)
    tall = rng.uniform(size=4000) < 0.5
    return {"tall": tall, "old": np.where(rng.uniform(size=4000) < 0.8, tall, ~tall)}


@pytest.fixture
def coefficients(attributes):
    noise = np.random.default_rng(1).standard_normal((4000, 3))
    return noise + np.stack([6.0 * attributes["tall"], 4.0 * attributes["old"], np.zeros(4000)], axis=1)


def test_directions_are_differences_of_means(coefficients, attributes):
    found = attribute_directions(coefficients, attributes)
    tall = attributes["tall"]
    np.testing.assert_allclose(found["tall"], coefficients[tall].mean(0) - coefficients[~tall].mean(0))
    np.testing.assert_allclose(found["tall"], [6, 4 * 0.6, 0], atol=0.2)


def test_orthogonal_directions_leave_the_other_attribute_alone(coefficients, attributes):
    plain = attribute_directions(coefficients, attributes)
    found = attribute_directions(coefficients, attributes, orthogonal=True)
    assert abs(found["tall"] @ plain["old"]) < 1e-6
    assert abs(found["old"] @ plain["tall"]) < 1e-6
    assert found["tall"] @ plain["tall"] > 1
    alone = attribute_directions(coefficients, {"tall": attributes["tall"]}, orthogonal=True)
    np.testing.assert_allclose(alone["tall"], plain["tall"])


def test_an_attribute_of_all_or_none_has_no_direction(coefficients):
    with pytest.raises(InputError, match="the attribute bald has no direction: no samples have it"):
        attribute_directions(coefficients, {"bald": np.zeros(4000, bool)})


def test_strips_of_pictures(tmp_path):
    rng = np.random.default_rng(0)
    bright = rng.uniform(size=60) < 0.5
    images = (rng.uniform(size=(60, 6, 6, 1)) + bright[:, None, None, None]).astype(np.float32)
    dataset = Dataset(
        images[:50], {"test": images[50:]}, Normalisation(0.0, 1.0), attributes={"train": {"bright": bright[:50]}}
    )
    network = NetworkConfig("mlp", (16,), (16,))
    training = TrainingConfig(steps=200, batch_size=32, learning_rate=3e-3)
    train(
        RunConfig("bright", model=AE(rank=2), network=network, training=training), dataset, tmp_path / "run", quiet=True
    )
    run = load_run(tmp_path / "run")
    draw_attributes(run, dataset, ["bright"], tmp_path / "a.png", samples=2)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    direction = attribute_directions(run.training_coefficients, dataset.attributes["train"])["bright"]
    code = run.coefficients(run.examples[:1])
    assert run.decode(code + direction).mean() > run.decode(code - direction).mean() + 0.5
    with pytest.raises(InputError, match=r"`names` must be attributes of the training set \(bright\); got dark"):
        draw_attributes(run, dataset, ["dark"], tmp_path / "b.png")
