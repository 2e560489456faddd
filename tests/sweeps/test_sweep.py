"""A small sweep: what it writes, interrupted and continued, with a run that diverges, and what it refuses."""

import csv
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from fastrrae import InputError, load_dataset, load_run, sweep
from fastrrae.cli import run_command
from fastrrae.cli.sweep import parse_sweep
from fastrrae.evaluation.protocol import PROTOCOLS
from fastrrae.features import FeatureTraining, train_features
from fastrrae.features.storage import save_classifier
from fastrrae.sweeps import run_sweep as sweep_module

QUICK = ["--network", "mlp", "--steps", "3", "--batch-size", "16", "--latent-size", "16", "--data-devices", "1"]
BASE = parse_sweep("digits", [*QUICK, "--protocol", "vrrae"]).recipe.resolve()
BRIEF = parse_sweep("digits", [*QUICK, "--protocol", "brief"]).recipe.resolve()


def rows_of(folder):
    return list(csv.DictReader((folder / "sweep.csv").read_text(encoding="utf-8").splitlines()))


@pytest.fixture(scope="module")
def swept(tmp_path_factory, module_without_pictures):
    """Two ranks, two seeds, with FIDs of a classifier that has hardly been trained, of 60 samples."""
    folder = tmp_path_factory.mktemp("sweep")
    features = folder / "features.npz"
    save_classifier(features, train_features(load_dataset(BASE.data), "digits", FeatureTraining(steps=2)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PROTOCOLS, "vrrae", PROTOCOLS["vrrae"].scaled_down(60))
        results = sweep(BASE, {"model.rank": [2, 4]}, seeds=2, out=folder / "out", features=features)
        assert not results.failures
        yield results


def test_rows_are_those_of_configurations_and_evaluations(swept):
    rows = rows_of(swept.out)
    assert [row["run"] for row in rows] == [f"rank={rank}_seed={seed}" for seed in (0, 1) for rank in (2, 4)]
    for row in rows:
        evaluation = json.loads((swept.out / row["run"] / "evaluation.json").read_text())
        config = load_run(swept.out / row["run"]).config
        assert (int(row["rank"]), int(row["seed"])) == (config.model.rank, config.training.seed)
        assert float(row["test error, %"]) == evaluation["reconstruction_error"]
        assert float(row["PCA of the same rank, %"]) == evaluation["pca_errors"]["test"]["overall"]
        assert float(row["FID"]) == evaluation["samples"]["mixture"]["fid"]
        assert (row["state"], row["steps"], row["reason"]) == ("finished", "3", "")


def test_cells_are_mean_and_deviation_over_seeds(swept):
    text = (swept.out / "sweep.md").read_text(encoding="utf-8")
    errors = [float(row["test error, %"]) for row in rows_of(swept.out) if row["rank"] == "2"]
    assert "| rank | runs | test error, % |" in text
    assert f"| 2 | 2 | {np.mean(errors):.2f} ± {np.std(errors, ddof=1):.2f} |" in text
    report = (swept.out / "report.html").read_text(encoding="utf-8")
    assert report.count("data:image/png") == 2
    assert "Error against rank" in report
    assert "Pareto front" in report
    assert {path.name for path in (swept.out / "figures").iterdir()} == {"errors.png", "pareto.png"}


def test_runs_that_are_finished_are_not_made_again(swept, monkeypatch):
    def refuse(*arguments):
        raise AssertionError("made again")

    before = (swept.out / "sweep.csv").read_bytes()
    monkeypatch.setattr(sweep_module, "make_run", refuse)
    features = swept.out.parent / "features.npz"
    again = sweep(BASE, {"model.rank": [4, 2]}, seeds=[1, 0], out=swept.out, features=features)
    assert set(again.finished) == set(swept.finished)
    assert (swept.out / "sweep.csv").read_bytes() == before


def test_another_base_configuration_is_refused_and_the_difference_named(swept):
    before = (swept.out / "sweep.json").read_bytes()
    other = parse_sweep("digits", [*QUICK, "--protocol", "vrrae", "--learning-rate", "0.5"]).recipe.resolve()
    with pytest.raises(InputError, match=r"training.learning_rate: 0.00\d there, 0.5 asked"):
        sweep(other, {"model.rank": [2]}, out=swept.out)
    assert (swept.out / "sweep.json").read_bytes() == before


def test_compare_takes_columns_from_the_configurations(swept, tmp_path):
    runs = [str(swept.out / name) for name in swept.finished]
    assert run_command(["compare", *runs, "--out", str(tmp_path / "out")]) == 0
    text = (tmp_path / "out" / "table.md").read_text(encoding="utf-8")
    assert "| model | rank | runs | test error, % |" in text
    assert "\n| vrrae | 2 | 2 |" in text
    assert "\n| vrrae | 4 | 2 |" in text
    stored = json.loads((tmp_path / "out" / "table.json").read_text())
    assert [row["settings"] for row in stored["rows"]] == [{"model": "vrrae", "rank": rank} for rank in (2, 4)]


def test_a_spectrum_of_all_runs_says_what_differs(swept, tmp_path):
    runs = [str(swept.out / f"rank={rank}_seed=0") for rank in (2, 4)]
    out = tmp_path / "spectrum.svg"
    assert run_command(["plot", "spectrum", *runs, "--out", str(out)]) == 0
    text = out.read_text()
    assert "<!-- vrrae, rank 2 -->" in text
    assert "<!-- vrrae, rank 4 -->" in text


def test_an_interrupted_sweep_goes_on_and_one_that_diverges_is_listed(tmp_path, monkeypatch, without_pictures):
    made, make_run = [], sweep_module.make_run

    def interrupted(folder, *arguments):
        made.append(folder.root.name)
        if len(made) == 2:
            raise KeyboardInterrupt
        make_run(folder, *arguments)

    out, grid = tmp_path / "out", {"training.learning_rate": [1e-3, 1e30]}
    base = parse_sweep("digits", [*QUICK, "--protocol", "brief", "--rank", "2"]).recipe.resolve()
    monkeypatch.setattr(sweep_module, "make_run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sweep(base, grid, out=out)
    assert not (out / "sweep.csv").exists()
    results = sweep(base, grid, out=out)
    assert made == ["learning_rate=0.001_seed=0", *["learning_rate=1e+30_seed=0"] * 2]
    assert results.finished == ("learning_rate=0.001_seed=0",)
    assert list(results.failures) == ["learning_rate=1e+30_seed=0"]
    assert [row["state"] for row in rows_of(out)] == ["finished", "failed"]
    assert "finite" in rows_of(out)[1]["reason"]
    assert "Failed: learning_rate=1e+30_seed=0" in (out / "sweep.md").read_text(encoding="utf-8")
    assert "Runs that failed" in (out / "report.html").read_text(encoding="utf-8")
    # The command line says the same, by its exit code too.
    arguments = ["sweep", "digits", *QUICK, "--protocol", "brief", "--rank", "2", "--learning-rate", "1e-3", "1e30"]
    assert run_command([*arguments, "--out", str(out)]) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rank", "2", "64"], "`rank`|--rank"),
        (["--rank", "2", "0"], "--rank must be an integer, at least 1; got 0"),
        (["--rank", "2", "4", "2"], "--rank must have each value once; got 2, 4, 2"),
        (["--rank", "2", "2"], "--rank must have several different values that a sweep can take; got 2, 2"),
        (["--data-devices", "1", "2"], "--data-devices must have several different values that a sweep can take"),
        (["--model", "vae", "vrrae"], "--model must be one model in a sweep"),
        (["--seed", "1", "2", "--seeds", "3"], "give several values of --seed, or --seeds, not both"),
        (["--seeds", "0"], "--seeds must be at least 1; got 0"),
        (["--jobs", "0"], "--jobs must be at least 1; got 0"),
        (["--rank", "2", "4", "--jobs", "1000"], "--jobs must be at most the number of cores"),
        (["--features", "absent.npz", "--rank", "2"], "absent.npz is not"),
    ],
)
def test_one_message_for_each_mistake(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert run_command(["sweep", "digits", *QUICK, "--out", "out", *arguments]) == 1
    error = capsys.readouterr().err
    assert any(part in error for part in message.split("|"))
    assert error.count("\n") == 1
    assert not list(tmp_path.rglob("metrics.jsonl"))


def test_python_refuses_what_processes_cannot_have(tmp_path):
    with pytest.raises(InputError, match="`dataset` must be left out with `jobs` above 1"):
        sweep(BRIEF, {}, out=tmp_path / "out", jobs=2, dataset=load_dataset(BRIEF.data))
    with pytest.raises(InputError, match="`config` must be a configuration or one of"):
        sweep("no-recipe", {}, out=tmp_path / "out")
    (tmp_path / "out" / "rank=2_seed=0").mkdir(parents=True)
    (tmp_path / "out" / "rank=2_seed=0" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="is in the way"):
        sweep(BRIEF, {"model.rank": [2]}, out=tmp_path / "out")


@pytest.mark.slow
def test_processes_end_with_the_one_that_started_them_and_the_same_command_goes_on(tmp_path):
    out = tmp_path / "out"
    command = ["sweep", "digits", *QUICK[:2], "--steps", "60", *QUICK[4:], "--protocol", "brief", "--out", str(out)]
    command += ["--rank", "2", "4", "--seeds", "2", "--jobs", "2"]
    process = subprocess.Popen([sys.executable, "-m", "fastrrae", *command])
    while not list(out.glob("*/metrics.jsonl")):
        assert process.poll() is None
        time.sleep(0.2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    holders = [path.read_text().split()[1] for path in out.glob("rank=*/.lock-holder")]
    while any(os.path.exists(f"/proc/{number}") for number in holders):
        time.sleep(0.2)  # until what was started has saved and ended
    assert run_command(command) == 0
    assert [row["state"] for row in rows_of(out)] == ["finished"] * 4
    assert len(list((out / "logs").glob("*.log"))) == 4
