"""What protocols draw and measure, on a small finished run."""

import json

import numpy as np
import pytest

from fastrrae import (
    AE,
    VRRAE,
    DataConfig,
    InputError,
    NetworkConfig,
    ObjectiveConfig,
    RunConfig,
    ShardingConfig,
    TrainingConfig,
    load_run,
    train,
)
from fastrrae.config import ProtocolName
from fastrrae.data import load_dataset
from fastrrae.densities import second_stage
from fastrrae.evaluation import PROTOCOLS, compare, evaluate, measure
from fastrrae.evaluation.generated_samples import value_range
from fastrrae.evaluation.results import to_json
from fastrrae.evaluation.sample_metrics import ReferenceSet
from fastrrae.features import FeatureTraining, train_features


@pytest.fixture(scope="module", autouse=True)
def brief_second_stage(module_without_pictures):
    """What the density is worth is tested elsewhere; here it is drawn from, many times."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(second_stage, "STEPS", 50)
        yield


@pytest.fixture(scope="module")
def digits():
    return load_dataset(DataConfig("digits"))


@pytest.fixture(scope="module")
def features(digits):
    return train_features(digits, "digits", FeatureTraining(steps=200))


@pytest.fixture(scope="module")
def runs(digits, tmp_path_factory):
    """A VRRAE with two seeds, and an AE."""
    folder = tmp_path_factory.mktemp("runs")
    found = {}
    vrrae = VRRAE(rank=4, latent_size=16)
    for model, seed in ((vrrae, 0), (vrrae, 1), (AE(rank=4), 0)):
        config = RunConfig(
            "digits",
            DataConfig("digits"),
            model,
            NetworkConfig("mlp"),
            ObjectiveConfig(weights=dict.fromkeys(model.penalties(), 1e-3)),
            training=TrainingConfig(steps=30, batch_size=32, seed=seed),
            sharding=ShardingConfig(data_devices=1),
        )
        name = f"{model.name}{seed}"
        train(config, digits, folder / name)
        found[name] = folder / name
    return found


def test_every_protocol_says_what_it_did(runs, digits, features):
    cases: list[tuple[ProtocolName, str]] = [
        ("default", "vrrae0"),
        ("vrrae", "vrrae0"),
        ("rae", "vrrae0"),
        ("rae", "ae0"),
    ]
    for name, model in cases:
        protocol = PROTOCOLS[name].scaled_down(100)
        results = to_json(measure(load_run(runs[model]), digits, protocol, features))
        assert results["protocol"]["name"] == f"{name}, quick"
        densities = {
            "default": ["mixture", "gaussian", "prior", "second-stage"],
            "vrrae": ["mixture"],
            "rae": ["single", "mixture", "second-stage"],
        }
        assert list(results["samples"]) == list(results["protocol"]["densities"]) == densities[name]
        single = results["protocol"]["densities"].get("single", "")
        assert single.startswith("standard normal" if model == "vrrae0" else "one Gaussian") or name != "rae"
        for figures in [*results["samples"].values(), results["interpolations"]]:
            assert figures["samples"] == 100
            assert figures["fid"] > 0
            assert figures["fid_biased"]  # 100 samples in 128 dimensions
        assert all(0 <= figures["precision"] <= 1 for figures in results["samples"].values())
        assert ("reconstructions" in results) == (name != "vrrae")
        assert results["features"]["test_accuracy"] > 0.5
        reference = "the 360 test samples" if name == "rae" else "the 1437 training samples"
        assert results["protocol"]["reference"] == reference
        assert ("kl_per_dimension" in results["latent"]) == (model == "vrrae0")
        json.dumps(results)
    few = measure(load_run(runs["ae0"]), digits, PROTOCOLS["default"].scaled_down(40), features)
    assert list(few.samples) == ["mixture", "gaussian", "second-stage"]  # no prior to draw from


def test_brief_and_unlabelled_evaluations_compare_no_samples(runs, digits, features):
    for evaluation in (
        measure(load_run(runs["ae0"]), digits, PROTOCOLS["brief"], features),
        measure(load_run(runs["ae0"]), digits, PROTOCOLS["default"], None),
    ):
        results = to_json(evaluation)
        assert not {"samples", "features", "interpolations"} & set(results)
        assert results["latent"]["rank"] == 4
        assert 1 <= results["latent"]["numerical_rank"] <= 4
        assert results["reconstruction_error"] > 0


@pytest.mark.slow
def test_the_more_noise_the_worse(digits, features):
    """The training set itself, with a little noise, and noise alone."""
    reference = ReferenceSet(digits.train, features, seed=0)
    rng = np.random.default_rng(0)
    noisy = digits.train + 2 * rng.standard_normal(digits.train.shape)
    noise = rng.uniform(0, 16, digits.train.shape)
    itself, near, far = (reference.compare(iter([samples])) for samples in (digits.train, noisy, noise))
    assert itself.fid == pytest.approx(0, abs=1e-6)
    assert itself.fid < near.fid < far.fid
    assert itself.kid < near.kid < far.kid
    assert itself.precision is not None
    assert near.precision is not None
    assert far.precision is not None
    assert itself.precision > 0.99
    assert far.precision < near.precision < itself.precision


def test_the_range_of_a_data_set(digits):
    assert value_range(digits.train) == (0, 16)


@pytest.fixture(scope="module")
def evaluated(runs, digits, features):
    protocol = PROTOCOLS["default"].scaled_down(200)
    for path in runs.values():
        evaluate(load_run(path), digits, protocol=protocol, features=features)
    return runs


def test_evaluating_again_gives_the_same_bytes(evaluated, digits, features):
    path = evaluated["vrrae0"] / "evaluation.json"
    before = path.read_bytes()
    evaluate(load_run(path.parent), digits, protocol=PROTOCOLS["default"].scaled_down(200), features=features)
    assert path.read_bytes() == before


def test_runs_side_by_side(evaluated, tmp_path):
    table = compare(list(evaluated.values()), tmp_path / "out")
    assert [row.name for row in table.rows] == ["vrrae", "ae"]
    figures = [json.loads((evaluated[name] / "evaluation.json").read_text()) for name in ("vrrae0", "vrrae1")]
    assert table.rows[0].values["FID"] == [figure["samples"]["mixture"]["fid"] for figure in figures]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *("table.md", "table.json", "report.html"),
        *("reconstructions.png", "interpolations.png", "samples.png"),
    }
    assert "| vrrae | 2 |" in (tmp_path / "out" / "table.md").read_text()
    assert (tmp_path / "out" / "report.html").read_text().count("data:image/png") == 3


def test_what_cannot_be_compared_is_refused(evaluated, tmp_path):
    run = load_run(evaluated["ae0"])
    kept = run.folder.evaluation.read_text()
    paths = [evaluated["vrrae0"], evaluated["ae0"]]
    try:
        for part, other in (("features", {"sha256": 64 * "0"}), ("protocol", {"name": "vrrae, quick"})):
            found = json.loads(kept)
            assert set(other) < set(found[part])
            found[part] |= other
            run.folder.evaluation.write_text(json.dumps(found))
            run.folder.record_checksums()
            with pytest.raises(InputError, match=f"their {part} differ"):
                compare(paths, tmp_path / "out")
        run.folder.evaluation.write_text(json.dumps({"reconstruction_error": 1, "protocol": {}}))
        with pytest.raises(InputError, match=r"evaluation\.json is damaged"):
            compare(paths, tmp_path / "out")
        run.folder.checksums.unlink()  # earlier versions wrote none
        with pytest.raises(InputError, match="evaluated by an earlier version"):
            compare(paths, tmp_path / "out")
        run.folder.evaluation.unlink()
        with pytest.raises(InputError, match=r"has not been evaluated: `fastrrae evaluate"):
            compare(paths, tmp_path / "out")
    finally:
        run.folder.evaluation.write_text(kept)
        run.folder.record_checksums()
    assert not (tmp_path / "out").exists()
