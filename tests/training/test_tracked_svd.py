"""Training with a tracked SVD: its state is in the checkpoints, on all devices, and of no use once training is over."""

import json
from dataclasses import replace
from typing import Any

import jax
import numpy as np
import optax
import pytest

from fastrrae import RRAE, VRRAE, InputError, ShardingConfig, build_model, load_run, make_objective
from fastrrae.models.tracked_svd import TrackedSVD
from fastrrae.training.mesh import make_mesh
from fastrrae.training.metrics_log import read_metrics
from fastrrae.training.step import StepOptions, start_training
from fastrrae_kernels import reference

TRACKED = RRAE(rank=2, latent_size=24, svd="tracked", svd_tolerance=0.5, svd_refresh=7)


@pytest.fixture
def tracking(config, with_training, with_model):
    options = {"latent_size": 24, "svd": "tracked", "svd_tolerance": 0.5, "svd_refresh": 7}
    return with_training(with_model(config, "rrae", **options), batch_size=24, log_every=1)


def test_a_resumed_run_equals_one_never_interrupted_and_ends_with_an_exact_basis(
    tracking, dataset, resumed_and_whole, digest
):
    resumed, whole = resumed_and_whole(tracking, dataset, 13)
    assert digest(resumed) == digest(whole)
    counts = [row["exact_svds"] for row in read_metrics(whole.metrics)]
    assert counts == [row["exact_svds"] for row in read_metrics(resumed.metrics)]
    # The first, and each after seven that were not exact.
    assert counts[:8] == [1] * 8
    assert counts[8] == 2
    assert counts[-1] == 3
    run = load_run(whole.root)
    bottleneck: Any = run.model.bottleneck
    found = tracking.model.evaluate(bottleneck, run.training_coefficients, None, None, 0)
    assert found == {"exact_svd_share": 3 / 20}
    latents = np.asarray(run.model.encode(dataset.normalisation.apply(dataset.train)))
    basis = np.asarray(bottleneck.basis)
    exact = reference.truncated_svd(latents, 2)[2]
    np.testing.assert_allclose(basis.T @ basis, exact.T @ exact, atol=1e-4)
    assert json.loads(whole.config.read_text())["model"]["svd"] == "tracked"


def trained(devices):
    """Losses of three steps on micro-batches, the tracked SVD after them, and the compiled step."""
    mesh = make_mesh(ShardingConfig(data_devices=devices))
    model = build_model(TRACKED, (12,))
    options = StepOptions(optax.sgd(1e-2), make_objective(), accumulate=2, hook=TRACKED.step_hook(3))
    state, step = start_training(model, options, mesh=mesh)
    x = np.random.default_rng(0).standard_normal((3, 48, 12)).astype(np.float32)
    losses, exact = [], 0
    with jax.set_mesh(mesh):
        for batch in x:
            state, metrics = step(state, batch)
            losses.append(float(metrics["loss"]))
            exact = int(metrics["exact_svds"])
    variables: Any = state.variables[0]
    return losses, variables["bottleneck"]["svd"], exact


@pytest.mark.slow
def test_micro_batches_on_eight_devices_equal_those_on_one():
    """Each micro-batch is one step of the sequence that is tracked."""
    (losses, svd, exact), (expected_losses, expected, expected_exact) = (trained(devices) for devices in (8, 1))
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-4)
    assert exact == expected_exact
    assert int(svd["taken"][...]) == 6
    kept = [np.asarray(found["basis"][...])[: TRACKED.rank] for found in (svd, expected)]
    np.testing.assert_allclose(kept[0].T @ kept[0], kept[1].T @ kept[1], atol=1e-3)


def test_no_share_before_the_first_step():
    assert TrackedSVD(24, 2).exact_share == 1.0


def test_what_cannot_be_tracked_is_refused(config):
    with pytest.raises(InputError, match=r"`model\.svd` must be exact with `model\.adaptive_rank`; got tracked"):
        VRRAE(rank=2, latent_size=24, svd="tracked", adaptive_rank=True)
    message = r"`model\.svd` tracked needs min\(batch size, latent size\) to be at least 20, .*min\(16, 24\) = 16"
    with pytest.raises(InputError, match=message):
        TRACKED.check_batch(16)
    TRACKED.check_batch(20)
    replace(TRACKED, svd="exact").check_batch(16)
