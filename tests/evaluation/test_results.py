"""`evaluation.json`: the layout that scripts rely on, what is not finite, and files that are damaged."""

import json
import math

import pytest

from fastrrae import InputError
from fastrrae.evaluation.results import (
    Evaluation,
    GenerationError,
    LatentMetrics,
    ReconstructionError,
    SampleMetrics,
    load_evaluation,
    save_evaluation,
    to_json,
)

FULL = Evaluation(
    reconstruction_error=3.5,
    reconstruction_errors={
        "train": ReconstructionError(2.0, 2.5, 0.5),
        "test": ReconstructionError(3.5, 3.0, 1.0),
    },
    latent=LatentMetrics(2, 1, [0.5, 0.0], 0.25, 1.5, 1.75, 1, 0.75, [0.5, 0.25]),
    of_model={"clustering_accuracy": 85.5},
    generation_error={"mixture": GenerationError(4.0, 1.0, 10)},
    samples={"mixture": SampleMetrics(10, 7.0, 0.1, 0.01, 0.9, 0.8, True)},
    interpolations=SampleMetrics(10, 6.0, 0.2, 0.02),
    reconstructions=SampleMetrics(10, 5.0, 0.3, 0.03),
    features={"kind": "classifier", "dimensions": 128, "sha256": "abc"},
    protocol={"name": "default", "seed": 0},
)
LAYOUT = {
    "reconstruction_error": 3.5,
    "reconstruction_errors": {
        "train": {"overall": 2.0, "per_sample_mean": 2.5, "per_sample_std": 0.5},
        "test": {"overall": 3.5, "per_sample_mean": 3.0, "per_sample_std": 1.0},
    },
    "latent": {
        "rank": 2,
        "active_units": 1,
        "deviation_of_means": [0.5, 0.0],
        "correlation": 0.25,
        "effective_rank": 1.5,
        "effective_rank_before_bottleneck": 1.75,
        "numerical_rank": 1,
        "kl": 0.75,
        "kl_per_dimension": [0.5, 0.25],
    },
    "clustering_accuracy": 85.5,
    "generation_error": {"mixture": {"mean": 4.0, "std": 1.0, "samples": 10}},
    "samples": {
        "mixture": {
            "samples": 10,
            "fid": 7.0,
            "kid": 0.1,
            "kid_std": 0.01,
            "precision": 0.9,
            "recall": 0.8,
            "fid_biased": True,
        }
    },
    "interpolations": {"samples": 10, "fid": 6.0, "kid": 0.2, "kid_std": 0.02},
    "reconstructions": {"samples": 10, "fid": 5.0, "kid": 0.3, "kid_std": 0.03},
    "features": {"kind": "classifier", "dimensions": 128, "sha256": "abc"},
    "protocol": {"name": "default", "seed": 0},
}


def test_the_layout(tmp_path):
    save_evaluation(tmp_path / "evaluation.json", FULL)
    assert json.loads((tmp_path / "evaluation.json").read_text()) == LAYOUT
    assert load_evaluation(tmp_path / "evaluation.json") == FULL


def test_what_was_not_measured_is_left_out(tmp_path):
    brief = Evaluation(
        1.0, FULL.reconstruction_errors, LatentMetrics(1, 1, [1.0], 0.0, 1.0, 1.0), protocol={"name": "x"}
    )
    save_evaluation(tmp_path / "evaluation.json", brief)
    values = json.loads((tmp_path / "evaluation.json").read_text())
    assert set(values) == {"reconstruction_error", "reconstruction_errors", "latent", "protocol"}
    assert not {"kl", "kl_per_dimension", "numerical_rank"} & set(values["latent"])
    assert load_evaluation(tmp_path / "evaluation.json") == brief


def test_files_of_earlier_versions_are_read(tmp_path):
    """They have no numerical rank, and may have NaN."""
    path = tmp_path / "evaluation.json"
    latent = {name: value for name, value in LAYOUT["latent"].items() if name != "numerical_rank"}
    path.write_text(json.dumps({**LAYOUT, "latent": latent, "reconstruction_error": math.nan}))
    found = load_evaluation(path)
    assert found.latent.numerical_rank is None
    assert math.isnan(found.reconstruction_error)
    assert found.samples == FULL.samples


def test_numbers_that_are_not_finite_are_null_with_a_reason(tmp_path):
    nan = ReconstructionError(math.nan, math.nan, math.nan)
    broken = Evaluation(
        math.nan,
        {"train": nan, "test": nan},
        FULL.latent,
        samples={"mixture": SampleMetrics(10, math.inf, math.nan, math.nan, math.nan, math.nan)},
        protocol={"name": "default"},
    )
    path = tmp_path / "evaluation.json"
    save_evaluation(path, broken)
    assert "NaN" not in path.read_text()
    assert "Infinity" not in path.read_text()
    values = json.loads(path.read_text())
    assert values["reconstruction_error"] is None
    assert values["samples"]["mixture"]["precision"] is None
    assert "all zero" in values["null"]["reconstruction_errors.test.overall"]
    assert "not finite" in values["null"]["samples.mixture.fid"]
    assert "null" not in to_json(FULL)
    found = load_evaluation(path)
    assert math.isnan(found.samples["mixture"].fid)
    assert found.of_model == {}


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "3", '{"protocol": 3}', '{"protocol": {"name": "x"}}', "\x00" * 100, '{"protocol": null}']
)
def test_damaged_files_are_named_with_the_remedy(tmp_path, text):
    path = tmp_path / "evaluation.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"run `fastrrae evaluate .*` again"):
        load_evaluation(path)


def test_a_number_that_is_none_is_named(tmp_path):
    path = tmp_path / "evaluation.json"
    path.write_text(json.dumps({**LAYOUT, "reconstruction_error": "three"}))
    with pytest.raises(InputError, match=r"evaluation\.json is damaged .*reconstruction_error"):
        load_evaluation(path)
    path.write_bytes(b'{"a": "\xff"}')
    with pytest.raises(InputError, match=r"evaluation\.json is damaged"):
        load_evaluation(path)
