"""The rank that is searched for while training: found, kept, resumed, and never compiled again."""

import itertools
from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from fastrrae import RRAE, InputError, RunFolder, build_model, load_run, make_objective, train
from fastrrae.models import RankReduction
from fastrrae.models.adaptive_rank import FOUND, LOWERING, SETTLING, AdaptiveRank
from fastrrae.models.fitted_basis import FittedBasis
from fastrrae.training.metrics_log import read_metrics
from fastrrae.training.step import StepOptions, start_training


@pytest.fixture
def searching(config, with_training, with_model):
    """A run on curves that span two dimensions, from rank 6."""
    search = {"adaptive_rank": True, "rank_window": 8, "rank_patience": 2, "rank_tolerance": 0.1}
    return with_training(with_model(config, "rrae", rank=6, **search), steps=400, learning_rate=3e-3)


def rank_of(model):
    assert isinstance(model.bottleneck, FittedBasis)
    assert model.bottleneck.active_rank is not None
    return int(model.bottleneck.active_rank[...])


def ranks(folder):
    return [int(row["rank"]) for row in read_metrics(folder.metrics)]


@pytest.mark.parametrize("name", ["rrae", pytest.param("vrrae", marks=pytest.mark.slow)])
def test_the_rank_of_the_data_is_found(tmp_path, searching, dataset, name, with_model, with_training):
    folder = RunFolder(tmp_path / "run")
    model = train(with_training(with_model(searching, name), checkpoint_every=400), dataset, folder)
    found = ranks(folder)
    assert found[0] == 6
    assert all(after - before in (-1, 0, 1) for before, after in itertools.pairwise(found))
    final = rank_of(model)
    assert 1 <= final <= 3
    coefficients = np.asarray(model.coefficients(dataset.normalisation.apply(dataset.train)))
    assert coefficients.shape == (50, 6)
    assert np.all(coefficients[:, :final].std(0) > 0)
    assert not np.any(coefficients[:, final:])
    run = load_run(folder.root)
    np.testing.assert_allclose(run.reconstruct(dataset.test), model.reconstruct(dataset.test), rtol=1e-4, atol=1e-5)
    assert run.sample(3).shape == (3, 12)


@pytest.mark.parametrize("at", [pytest.param(at, marks=pytest.mark.slow) for at in (70, 333)])
def test_a_resumed_search_equals_one_never_interrupted(searching, dataset, resumed_and_whole, digest, at):
    resumed, whole = resumed_and_whole(searching, dataset, at)
    assert ranks(resumed) == ranks(whole)
    assert digest(resumed) == digest(whole)


def test_one_compilation_serves_all_ranks(dataset):
    model = build_model(RRAE(rank=6, latent_size=8, adaptive_rank=True), dataset.sample_shape)
    search = AdaptiveRank(window=2, patience=1, tolerance=1e6, latest=40)  # every rank will do
    state, step = start_training(model, StepOptions(optax.adam(1e-3), make_objective(), hook=search))
    seen = set()
    for _ in range(40):
        state, metrics = step(state, dataset.train[:16])
        seen.add(int(metrics["rank"]))
    assert seen == {1, 2, 3, 4, 5, 6}
    assert step._cache_size() == 1  # pyright: ignore[reportFunctionMemberAccess]


class Scripted:
    """The search, told what the losses are; the one parameter of the model says when it was last written."""

    def __init__(self, search):
        self.search = search
        self.model = build_model(RRAE(rank=4, latent_size=5, adaptive_rank=True), (6,))
        self.optimiser = nnx.Optimizer(self.model, optax.sgd(1.0), wrt=nnx.Param)
        self.state = search.start(self.model, self.optimiser)

    @property
    def mark(self):
        encoder: Any = self.model.encoder
        return encoder.mlp.layers[0].bias

    def tell(self, *losses):
        for loss in losses:
            self.mark.set_value(jnp.full_like(self.mark[...], loss))
            self.state, _ = self.search.advance(self.model, self.optimiser, self.state, jnp.asarray(loss))
        return int(self.state.stage), rank_of(self.model), float(self.mark[0])


def test_the_search_step_by_step():
    script = Scripted(AdaptiveRank(window=1, patience=2, tolerance=0.1, latest=100))
    assert script.tell(9.0, 5.0, 4.0) == (SETTLING, 4, 4.0)
    assert script.tell(3.99) == (SETTLING, 4, np.float32(3.99))  # an improvement of less than 1 %
    assert script.tell(4.05) == (LOWERING, 3, np.float32(4.05))  # settled at 3.99
    assert script.tell(6.0, 5.0) == (LOWERING, 3, 5.0)
    assert script.tell(4.3) == (LOWERING, 2, np.float32(4.3))  # within a tenth
    assert script.tell(8.0, 7.0, 7.1) == (LOWERING, 2, np.float32(7.1))
    stage, rank, mark = script.tell(7.0)
    assert (stage, rank, mark) == (FOUND, 3, np.float32(4.3))  # given up: what was good at 3 is back
    assert script.tell(1.0, 1.0, 1.0, 1.0) == (FOUND, 3, 1.0)


def test_a_rank_that_is_still_being_tried_at_the_end_is_undone():
    script = Scripted(AdaptiveRank(window=1, patience=1, tolerance=0.1, latest=100))
    assert script.tell(4.0, 4.0, 9.0) == (LOWERING, 3, 9.0)
    variables = nnx.state((script.model, script.optimiser))
    nnx.update(script.model, script.search.finish(variables, script.state)[0])
    assert (rank_of(script.model), float(script.mark[0])) == (4, 4.0)


def test_a_loss_that_goes_on_falling_is_taken_for_settled():
    script = Scripted(AdaptiveRank(window=1, patience=2, tolerance=0.1, latest=3))
    assert script.tell(9.0, 8.0) == (SETTLING, 4, 8.0)
    assert script.tell(7.0) == (LOWERING, 3, 7.0)


@pytest.mark.slow
def test_the_last_rank_is_one():
    script = Scripted(AdaptiveRank(window=1, patience=1, tolerance=0.1, latest=100))
    stage, rank, _ = script.tell(*[2.0] * 6)
    assert (stage, rank) == (FOUND, 1)


@pytest.mark.slow
def test_on_several_devices(tmp_path, searching, dataset):
    folder = RunFolder(tmp_path / "run")
    train(replace(searching, sharding=replace(searching.sharding, data_devices=4)), dataset, folder)
    assert ranks(folder)[-1] < 6


def test_what_does_not_fit_is_refused():
    with pytest.raises(InputError, match=r"`model.rank_tolerance` must be a number, at least 0; got -1"):
        RRAE(rank_tolerance=-1)
    with pytest.raises(InputError, match=r"`model.rank_settle` must be a number, above 0 and at most 1; got 0"):
        RRAE(rank_settle=0)
    with pytest.raises(InputError, match=r"`model.rank_window` must be an integer, at least 1; got 0"):
        RRAE(rank_window=0)
    bottleneck = RankReduction(5, 2)
    with pytest.raises(ValueError, match="adaptive=True"):
        bottleneck.set_active_rank(jnp.asarray(1))
