"""The compiled training: the steps of `fastrrae.train`, and compiled once for each structure."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from fastrrae import NetworkConfig, build_model, models
from fastrrae.data.pipeline import Share, ShuffledBatches
from fastrrae.models.inference import infer
from fastrrae.sklearn import PCA, RRAE, VRRAE
from fastrrae.sklearn.in_memory_training import Structure, train_in_memory
from fastrrae.training.step import finish_training, start_training

COMPILATION = "/jax/core/compile/"
counted: list[str] | None = None


def count(event: str, duration_secs: float, **_: Any):
    if counted is not None and event.startswith(COMPILATION):
        counted.append(event)


jax.monitoring.register_event_duration_secs_listener(count)


@pytest.fixture
def compilations():
    """What JAX traces, lowers and compiles from now on."""
    global counted
    counted = []
    jax.jit(lambda x: 3 * x)(2)
    assert counted  # the listener hears of a function that is new
    yield counted
    counted = None


@pytest.mark.parametrize("kind", [RRAE, VRRAE])
def test_a_second_fit_of_the_same_structure_compiles_nothing(kind, small, table, compilations):
    estimator = kind(rank=2, random_state=0, **small)
    estimator.fit(table).score(table)
    compilations.clear()
    other = kind(rank=2, random_state=1, **small | {"steps": 70, "learning_rate": 1e-4})
    fold = other.fit(table[:67] * 2)
    fold.score(table[67:])
    fold.inverse_transform(fold.transform(table[:5]))
    fold.fit(table[:66])
    assert compilations == []


def test_lower_ranks_share_the_program_of_an_rrae(small, table, compilations):
    RRAE(rank=2, **small).fit(table)
    compilations.clear()
    for rank in (1, 5, 8):
        assert RRAE(rank=rank, **small).fit(table).transform(table).shape == (100, rank)
    assert compilations == []


def test_penalty_weights_are_no_part_of_the_program(small, table, compilations):
    VRRAE(kl_weight=0.1, **small).fit(table)
    compilations.clear()
    VRRAE(kl_weight=0.2, **small).fit(table)
    assert compilations == []


def test_folds_of_a_table_share_the_program_of_pca(table, compilations):
    PCA(rank=2).fit(table[:67])
    compilations.clear()
    PCA(rank=2).fit(table[:66])
    assert compilations == []


@pytest.mark.parametrize("options", [models.RRAE, models.VRRAE])
def test_steps_are_those_of_training_with_files(options, small, table):
    x = StandardScaler().fit_transform(table).astype(np.float32)
    network = NetworkConfig(encoder_widths=(16,), decoder_widths=(16,))
    room: dict[str, Any] = {"rank": 8, "adaptive_rank": True} if options is models.RRAE else {"rank": 2}
    plain_rank: dict[str, Any] = {"rank": 2}
    compiled, plain = (
        Structure(options(latent_size=8, **sizes), network, (6,), 16, "adabelief", "relative")
        for sizes in (room, plain_rank)
    )
    settings = {"learning_rate": 1e-3, "weights": dict.fromkeys(options().penalties(), 0.001)}
    trained = train_in_memory(compiled, x, rank=2, steps=60, seed=4, **settings)  # more than in one call

    expected = build_model(options(rank=2, latent_size=8), (6,), network=network, seed=4)
    state, step = start_training(expected, plain.step_options(**settings))
    losses = []
    for number in range(60):
        state, metrics = step(state, ShuffledBatches(x, 16, 4, 60, Share())[number])
        losses.append(metrics["loss"])
    finish_training(expected, state)
    expected.fit_basis([x])
    expected.eval()
    np.testing.assert_allclose(trained.losses, np.array(losses), rtol=1e-4)
    restored = trained.decode(trained.coefficients(x))
    np.testing.assert_allclose(restored, infer(expected, "reconstruct", x), rtol=1e-2, atol=1e-3)


def test_batches_of_fewer_samples_than_their_size(small, table):
    few = RRAE(rank=2, **small).fit(table[:5])
    assert jnp.isfinite(few.transform(table)).all()
