"""Search in latent space: what it finds, that it continues where it was, and what it refuses."""

import json

import numpy as np
import pytest

from fastrrae import (
    RRAE,
    Dataset,
    InputError,
    NetworkConfig,
    RunConfig,
    ShardingConfig,
    TrainingConfig,
    load_run,
    train,
)
from fastrrae.cli.main import run_command
from fastrrae.latent_optimisation import SearchOptions, load_objective, optimise
from fastrrae.latent_optimisation.evaluation_log import EvaluationLog
from fastrrae.latent_optimisation.expected_improvement import choose_batch, fit_process, normal_scores
from fastrrae.latent_optimisation.region import Region

OPTIONS = SearchOptions(rounds=3, batch_size=6, start=12)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Of curves with a bump of any place and height, which a linear model would do for."""
    rng = np.random.default_rng(0)
    place, height = rng.uniform(0, 1, (2, 200))
    x = (1 + height[:, None]) * np.exp(-((np.linspace(0, 1, 12) - place[:, None]) ** 2) / 0.1)
    config = RunConfig(
        "curves",
        model=RRAE(rank=3, latent_size=6),
        network=NetworkConfig("mlp", encoder_widths=(16,), decoder_widths=(16,)),
        training=TrainingConfig(steps=200, batch_size=32, learning_rate=5e-3),
        sharding=ShardingConfig(data_devices=1),
    )
    folder = tmp_path_factory.mktemp("run") / "run"
    train(config, Dataset.from_arrays(x.astype(np.float32)), folder, quiet=True)
    return load_run(folder)


def peak(sample):
    """Largest where the bump is at the fourth point and low elsewhere: a score to maximise."""
    return float(sample[3] - sample[8])


def test_the_search_finds_better_samples_than_random_search(run, tmp_path, monkeypatch):
    options = SearchOptions(rounds=3, batch_size=6, start=12, maximise=True)
    found = optimise(run, peak, tmp_path, options=options)
    assert found.best[0].score > found.best_of_random[0].score
    assert len(found.evaluations) == len(found.random) == 12 + 18
    assert found.best[0].score == pytest.approx(peak(run.decode(found.best[0].coefficients[None])[0]), rel=1e-5)
    written = json.loads((tmp_path / "result.json").read_text())
    assert written["best"][0]["score"] == found.best[0].score
    assert {path.name for path in tmp_path.iterdir()} == {
        "settings.json",
        "evaluations.jsonl",
        "result.json",
        "progress.png",
        "best.png",
    }
    monkeypatch.setattr(Region, "of", None)  # a search that is complete fits no density again
    assert optimise(run, peak, tmp_path, options=options).best[0].score == found.best[0].score


def test_an_interrupted_search_continues_to_the_same_evaluations(run, tmp_path):
    whole = optimise(run, peak, tmp_path / "whole", options=OPTIONS, name="peak")
    calls = []

    def interrupted(sample):
        calls.append(sample)
        if len(calls) == 21:
            raise KeyboardInterrupt
        return peak(sample)

    with pytest.raises(KeyboardInterrupt):
        optimise(run, interrupted, tmp_path / "cut", options=OPTIONS, name="peak")
    log = tmp_path / "cut" / "evaluations.jsonl"
    log.write_bytes(log.read_bytes()[:-9])  # a line that was being written
    continued = optimise(run, interrupted, tmp_path / "cut", options=OPTIONS, name="peak")
    assert len(calls) == 12 + 2 * 18 + 2  # the one that was interrupted, and the one whose line was cut
    for one, other in zip(whole.evaluations + whole.random, continued.evaluations + continued.random, strict=True):
        assert (one.search, one.round, one.score) == (other.search, other.round, other.score)
    more = optimise(run, peak, tmp_path / "cut", options=SearchOptions(rounds=4, batch_size=6, start=12), name="peak")
    scores = [row.score for row in continued.evaluations]
    assert [row.score for row in more.evaluations][:30] == scores
    assert len(more.evaluations) == len(more.random) == 36


def test_another_search_is_not_mixed_into_the_folder(run, tmp_path):
    optimise(run, peak, tmp_path, options=OPTIONS, name="peak")
    with pytest.raises(InputError, match="batch_size 6 there, 7 asked"):
        optimise(run, peak, tmp_path, options=SearchOptions(rounds=3, batch_size=7, start=12), name="peak")
    with pytest.raises(InputError, match="objective peak there, other asked"):
        optimise(run, peak, tmp_path, options=OPTIONS, name="other")
    optimise(run, peak, tmp_path, options=SearchOptions(rounds=1, batch_size=2, start=3), name="other", overwrite=True)
    log = tmp_path / "evaluations.jsonl"
    assert len(EvaluationLog(log).rows) == 3 + 2 + 2
    log.write_text("{}\n")
    with pytest.raises(InputError, match=r"line 1 of .* is damaged"):
        EvaluationLog(log)


def test_objects_without_a_score_are_kept_and_never_the_best(run, tmp_path):
    found = optimise(run, lambda x: None if x[0] > x[-1] else x[0], tmp_path, options=OPTIONS)
    assert np.isfinite([row.score for row in found.best]).all()
    assert 0 < np.isnan([row.score for row in found.evaluations]).sum() < len(found.evaluations)
    with pytest.raises(InputError, match="`decodings` must be 1"):
        optimise(run, peak, tmp_path / "drawn", options=SearchOptions(decodings=3))
    with pytest.raises(InputError, match=r"`objective` failed on a sample of shape \(12,\): ZeroDivisionError"):
        optimise(run, lambda x: 1 / 0, tmp_path / "failing", options=OPTIONS)


def test_candidates_are_where_the_training_coefficients_are(run):
    region = Region.of(run)
    points = region.candidates(run.training_coefficients[:5], 600, np.random.default_rng(0))
    assert (points >= region.low).all()
    assert (points <= region.high).all()
    assert (run.density.log_density(points) >= region.least).all()


def test_the_density_of_a_mixture_is_that_of_scikit_learn(run):
    from scipy.stats import multivariate_normal

    points, mixture = run.training_coefficients[:20], run.density
    by_component = [
        weight * multivariate_normal(mean, factor @ factor.T).pdf(points)
        for weight, mean, factor in zip(mixture.weights, mixture.means, mixture.factors, strict=True)
    ]
    np.testing.assert_allclose(mixture.log_density(points), np.log(np.sum(by_component, axis=0)), rtol=1e-6)


def test_a_batch_is_chosen_as_if_the_process_were_fitted_again_after_each_point():
    rng = np.random.default_rng(1)
    points, candidates = rng.standard_normal((30, 2)), rng.standard_normal((40, 2))
    values = np.sin(points[:, 0]) + points[:, 1] ** 2
    process = fit_process(points, values, rng)
    chosen = choose_batch(process, candidates, float(values.min()), 6)
    noise = process.kernel_.k2.noise_level
    kernel, expected = process.kernel_.k1, []
    for _ in range(6):  # the slow way: solve with all points so far, the chosen ones at their means
        x = np.concatenate([points, candidates[expected]])
        y = np.concatenate([values, process.predict(candidates[expected])]) if expected else values
        gram = kernel(x) + noise * np.eye(len(x))
        across = kernel(x, candidates)
        mean = across.T @ np.linalg.solve(gram, y)
        deviation = np.sqrt(kernel.diag(candidates) - np.sum(across * np.linalg.solve(gram, across), axis=0))
        from scipy.stats import norm

        t = (values.min() - mean) / deviation
        improvement = deviation * (t * norm.cdf(t) + norm.pdf(t))
        improvement[expected] = -np.inf
        expected.append(int(np.argmax(improvement)))
    assert chosen == expected


def test_scores_become_normal_by_their_ranks_and_nan_is_the_worst():
    values = normal_scores(np.array([3.0, np.nan, -1e30, 5.0]))
    assert np.argsort(values).tolist() == [2, 0, 3, 1]
    np.testing.assert_allclose(values.sum(), 0, atol=1e-12)


def test_the_command_searches_and_names_what_is_wrong(run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_scores_for_a_test.py").write_text("def low(x):\n    return x.max()\nnumber = 3\n")
    command = ["optimise", str(run.folder.root), "--rounds", "1", "--batch-size", "2", "--start", "4", "--out", "found"]
    assert run_command([*command, "--objective", "my_scores_for_a_test:low"]) == 0
    assert "round 1 of 1: best" in capsys.readouterr().out
    for objective in ("low", "my_scores_for_a_test:high", "my_scores_for_a_test:number", "no_such_module:low"):
        assert run_command([*command, "--objective", objective]) == 1
        assert "--objective" in capsys.readouterr().err
    assert run_command([*command, "--objective", "my_scores_for_a_test:low", "--seed", "1"]) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert load_objective("fastrrae.grammars.expressions:expression_score")("x") == pytest.approx(0.4876, abs=1e-3)
