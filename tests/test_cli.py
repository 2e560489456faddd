"""The command line: a run from start to report, and one clear message for each mistake."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from fastrrae import RECIPES
from fastrrae.cli import run_command

QUICK = ["--network", "mlp", "--steps", "12", "--batch-size", "16", "--log-every", "4", "--data-devices", "1"]
QUICK += ["--protocol", "brief"]


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("cli") / "run"
    assert run_command(["train", "digits", "--out", str(out), "--rank", "4", *QUICK]) == 0
    return out


def test_a_run_leaves_what_it_should(run_folder):
    figures = {path.name for path in (run_folder / "figures").iterdir()}
    assert figures == {
        "reconstructions.png",
        "samples.png",
        "neighbours.png",
        "components.png",
        "embedding.png",
        "interpolations.png",
        "coefficients.png",
        "coordinates.png",
        "singular_values.png",
        "losses.png",
    }
    assert all((run_folder / "figures" / name).read_bytes().startswith(b"\x89PNG") for name in figures)
    evaluation = json.loads((run_folder / "evaluation.json").read_text())
    assert 0 < evaluation["reconstruction_error"] < 200
    report = (run_folder / "report.html").read_text()
    assert report.count("data:image/png;base64,") == 10
    assert "http" not in report.replace("https://", "http")  # nothing outside the page
    assert f"{evaluation['reconstruction_error']:.2f} %" in report
    config = json.loads((run_folder / "config.json").read_text())
    assert (config["model"]["rank"], config["training"]["steps"]) == (4, 12)


def test_evaluating_twice_gives_the_same(run_folder):
    before = (run_folder / "evaluation.json").read_text()
    assert run_command(["evaluate", str(run_folder)]) == 0
    assert (run_folder / "evaluation.json").read_text() == before


def test_sampling_and_interpolation_need_only_the_folder(run_folder, tmp_path):
    for name in ("a.npy", "b.npy"):
        assert run_command(["sample", str(run_folder), "--count", "6", "--out", str(tmp_path / name)]) == 0
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), np.load(tmp_path / "b.npy"))
    assert np.load(tmp_path / "a.npy").shape == (6, 8, 8, 1)
    for command in ("sample", "interpolate"):
        assert run_command([command, str(run_folder), "--out", str(tmp_path / f"{command}.png")]) == 0
        assert (tmp_path / f"{command}.png").stat().st_size > 1000


@pytest.mark.parametrize("density", ["gaussian", "prior", pytest.param("second-stage", marks=pytest.mark.slow)])
def test_samples_from_other_densities(run_folder, tmp_path, density):
    out = tmp_path / "samples.npy"
    assert run_command(["sample", str(run_folder), "--count", "6", "--density", density, "--out", str(out)]) == 0
    assert np.load(out).shape == (6, 8, 8, 1)


@pytest.mark.parametrize(
    "model", [pytest.param("ae", marks=pytest.mark.slow), "vae", pytest.param("rrae", marks=pytest.mark.slow)]
)
def test_every_model_trains_on_a_users_array(tmp_path, model, without_pictures):
    np.save(tmp_path / "curves.npy", np.random.default_rng(0).standard_normal((60, 20, 2)).cumsum(1))
    out = tmp_path / "run"
    data = ["--data", str(tmp_path / "curves.npy")]
    assert run_command(["train", "array", *data, "--model", model, "--rank", "3", "--out", str(out), *QUICK]) == 0
    (tmp_path / "curves.npy").rename(tmp_path / "moved.npy")
    assert run_command(["evaluate", str(out)]) == 1
    assert run_command(["evaluate", str(out), "--data", str(tmp_path / "moved.npy")]) == 0
    drawn = run_command(["sample", str(out), "--density", "prior", "--out", str(tmp_path / "a.npy")])
    assert drawn == (0 if model == "vae" else 1)


def test_recipes(capsys):
    assert run_command(["recipes"]) == 0
    printed = capsys.readouterr().out
    for name, recipe in RECIPES.items():
        assert f"\n{name} " in printed
        assert f"k={recipe.config.model.rank}" in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["train", "digits", "--rank", "65"],
            "--rank must be at most --latent-size = 32; got 65",
        ),
        (["train", "digits", "--batch-size", "8"], "min(8, 32) = 8; got 16"),
        (["train", "digits", "--rank", "0"], "--rank must be an integer, at least 1; got 0"),
        (["train", "digits", "--batch-size", "0"], "--batch-size must be an integer, at least 1; got 0"),
        (
            ["train", "digits", "--accumulate", "5"],
            "multiple of --accumulate = 5; got 64: the nearest batch sizes that fit are 60 and 65",
        ),
        (["train", "digits", "--accumulate", "8"], "min(8, 32) = 8; got 16"),
        (["train", "digits", "--steps", "0"], "--steps must be an integer, at least 1 or absent; got 0"),
        (["train", "digits", "--steps", "3", "--epochs", "2"], "give --steps or --epochs, not both"),
        (["train", "digits", "--keep-best", "1", "--log-every", "501"], "needs --log-every to be at most"),
        (["train", "digits", "--keep-last", "0"], "--keep-last must be an integer, at least 1; got 0"),
        (["train", "celeba"], "--data must be a folder that `fastrrae prepare` has written"),
        (["train", "images", "--data", "absent"], "absent is not a folder"),
        (["train", "digits", "--learning-rate", "-1"], "--learning-rate must be a number, above 0; got -1.0"),
        (
            ["train", "digits", "--warm-up", "1"],
            "--warm-up must be a number, at least 0 and below 1; got 1.0",
        ),
        (["train", "digits", "--beta", "-1"], "--kl-weight must be a number, at least 0; got -1.0"),
        (["train", "irmae-mnist", "--model", "vae"], "--kl-weight must be given: it is the weight of a penalty of vae"),
        (
            ["train", "digits", "--model", "gmm-dae", "--components", "0"],
            "--components must be an integer, at least 1; got 0",
        ),
        (["train", "digits", "--seed", "-1"], "--seed must be an integer, at least 0; got -1"),
        (["train", "digits", "--epochs", "nan"], "--epochs must be a number, above 0 or absent; got nan"),
        (["train", "digits", "--epochs", "inf"], "--epochs must be finite; got inf"),
        (["train", "digits", "--test-fraction", "nan"], "--test-fraction must be a number, above 0 and below 1"),
        (["train", "digits", "--workers", "-1"], "--workers must be an integer, at least 0; got -1"),
        (["train", "digits", "--encoder-widths", "0"], "--encoder-widths must be a list, each of it an integer"),
        (["train", "digits", "--evaluation-seed", "-1"], "--evaluation-seed must be an integer, at least 0; got -1"),
        (["train", "digits", "--mixture-components", "0"], "--mixture-components must be an integer, at least 1"),
        (["train", "digits", "--overwrite", "--resume"], "give --overwrite or --resume, not both"),
        (["train", "mnist"], "mnist needs --data, the folder that holds its IDX files"),
        (["train", "array", "--data", "absent.npy"], "absent.npy is not a file"),
        (["evaluate", "absent"], "absent is not a run folder"),
        (["sample", "absent", "--count", "0"], "--count must be at least 1; got 0"),
        (["sample", "absent", "--out", "a.jpg"], "--out must end in .png or .npy or .txt; got a.jpg"),
        (["interpolate", "absent", "--steps", "1"], "--steps at least 2; got 5 and 1"),
    ],
)
def test_one_message_and_no_traceback(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    if arguments[0] == "train":
        arguments = [*arguments, "--data-devices", "1"]
    assert run_command(arguments) == 1
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.startswith("fastrrae: error: ")
    assert captured.err.count("\n") == 1
    assert not list(tmp_path.rglob("*.json"))  # nothing half-made is left


@pytest.mark.parametrize("arguments", [["train", "nonsense"], ["train", "digits", "--nonsense", "1"], ["nonsense"], []])
def test_unknown_words_end_in_usage(arguments, capsys):
    with pytest.raises(SystemExit) as exit_info:
        run_command(arguments)
    assert exit_info.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


def test_nan_in_the_data_is_named(tmp_path, capsys):
    values = np.ones((20, 5)) + np.arange(5)
    values[7, 3] = np.nan
    np.save(tmp_path / "a.npy", values)
    assert run_command(["train", "array", "--data", str(tmp_path / "a.npy"), "--out", str(tmp_path / "run")]) == 1
    assert "NaN or infinity in 1 of 20 samples, first in sample 7" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_diverging_run_says_at_which_step(tmp_path, capsys):
    out = tmp_path / "run"
    diverging = ["--no-bounded-variance", "--learning-rate", "1e30", "--optimiser", "adam"]
    code = run_command(["train", "digits", *QUICK, *diverging, "--out", str(out)])
    assert code == 1
    said = capsys.readouterr().err
    assert "became NaN or infinite at step" in said
    assert "A lower --learning-rate, --bounded-variance, a larger batch or other data may help" in said
    assert (out / "UNFINISHED").exists()
    assert run_command(["sample", str(out)]) == 1
    assert "has not finished" in capsys.readouterr().err


def test_a_checkpoint_on_the_way_can_be_evaluated(tmp_path, capsys, without_pictures):
    out = tmp_path / "run"
    options = ["--rank", "4", *QUICK, "--checkpoint-every", "4", "--keep-last", "1", "--keep-best", "2"]
    assert run_command(["train", "digits", "--out", str(out), *options]) == 0
    kept = sorted(int(path.name) for path in (out / "checkpoints").iterdir())
    assert kept[-1] == 12
    assert len(kept) in (2, 3)
    assert run_command(["evaluate", str(out), "--step", "12"]) == 0
    last, end = (json.loads((out / f"{name}.json").read_text()) for name in ("evaluation-12", "evaluation"))
    assert last["reconstruction_error"] == pytest.approx(end["reconstruction_error"], rel=1e-5)
    assert run_command(["evaluate", str(out), "--step", str(kept[0])]) == 0
    early = json.loads((out / f"evaluation-{kept[0]}.json").read_text())
    assert early["reconstruction_error"] > last["reconstruction_error"]
    assert run_command(["evaluate", str(out), "--step", "1"]) == 1
    assert "has no checkpoint of step 1; there are" in capsys.readouterr().err


def test_help_shows_the_options_of_the_model_alone(capsys):
    shown = {}
    for model in ("vrrae", "gmm-dae"):
        with pytest.raises(SystemExit) as exit_info:
            run_command(["train", "digits", "--model", model, "--help"])
        assert exit_info.value.code == 0
        shown[model] = capsys.readouterr().out
    assert "--components" not in shown["vrrae"]
    assert "--latent-size" in shown["vrrae"]
    assert "--kl-weight" in shown["vrrae"]
    assert "--components" in shown["gmm-dae"]
    assert "--latent-size" not in shown["gmm-dae"]
    assert "--mixture-distance-weight" in shown["gmm-dae"]
    assert all("pyright" not in text and "`objective" not in text for text in shown.values())


def test_version(capsys):
    assert run_command(["--version"]) == 0
    assert capsys.readouterr().out.startswith("fastrrae ")


def test_a_platform_that_is_not_there_is_one_line(monkeypatch, capsys):
    def fail(*_):
        raise AssertionError  # as JAX 0.10 does for CUDA

    monkeypatch.setattr("fastrrae.cli.train.on_main", fail)
    with pytest.raises(AssertionError):  # of another cause than the platform
        run_command(["train", "digits"])
    absent = SimpleNamespace(devices=fail, config=SimpleNamespace(jax_platforms="cuda"))
    monkeypatch.setattr("fastrrae.cli.messages.jax", absent)
    capsys.readouterr()
    assert run_command(["train", "digits"]) == 1
    error = capsys.readouterr().err
    assert "no device of the platform 'cuda'" in error
    assert '`pip install "fastrrae[cuda]"`' in error
    assert error.count("\n") == 1
