"""`evaluate`, `sample`, `interpolate` and `compare` of one small run: what they write, and what they refuse."""

import dataclasses
import json
import re
import shutil

import jax.export
import numpy as np
import pytest

from fastrrae import InputError, load_dataset, load_run, load_weights, plot, write_model_card
from fastrrae.cli import run_command
from fastrrae.densities import GaussianMixture
from fastrrae.evaluation.means_plot import RED, draw_means
from fastrrae.evaluation.plots import MOST_CURVES, MOST_IMAGES, draw_grid
from fastrrae.features import FeatureTraining, train_features
from fastrrae.features.storage import save_classifier

QUICK = ["--network", "mlp", "--steps", "2", "--batch-size", "16", "--rank", "4", "--latent-size", "8"]
QUICK += ["--data-devices", "1", "--protocol", "brief"]


@pytest.fixture(scope="module")
def digits_run(tmp_path_factory):
    out = tmp_path_factory.mktemp("commands") / "run"
    assert run_command(["train", "digits", "--out", str(out), *QUICK]) == 0
    return out


@pytest.fixture(scope="module")
def vectors_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vectors")
    np.save(folder / "x.npy", np.random.default_rng(0).standard_normal((60, 10)).astype(np.float32))
    arguments = ["train", "array", "--data", str(folder / "x.npy"), "--out", str(folder / "run"), *QUICK]
    assert run_command(arguments) == 0
    return folder / "run"


def test_values_are_streamed_and_equal_those_of_the_run(digits_run, tmp_path):
    out = tmp_path / "a.npy"
    assert run_command(["sample", str(digits_run), "--count", "1203", "--out", str(out), "--density", "gaussian"]) == 0
    samples = np.load(out, mmap_mode="r")
    assert samples.shape == (1203, 8, 8, 1)
    assert samples.dtype == np.float32
    from fastrrae.evaluation import fit_density

    run = load_run(digits_run)
    np.testing.assert_allclose(samples, run.sample(1203, seed=0, density=fit_density(run, "gaussian")), atol=1e-5)
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize(("which", "most"), [("digits_run", MOST_IMAGES), ("vectors_run", MOST_CURVES)])
def test_pictures_have_a_limit_that_is_said(which, most, tmp_path, request, capsys):
    run = request.getfixturevalue(which)
    assert run_command(["sample", str(run), "--count", "20000", "--out", str(tmp_path / "a.png")]) == 1
    error = capsys.readouterr().err
    assert f"must have at most {most} " in error
    assert ".npy" in error
    assert run_command(["interpolate", str(run), "--steps", "2000", "--out", str(tmp_path / "a.png")]) == 1
    assert "at most 100 in a row" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_as_many_images_as_a_picture_may_have(tmp_path):
    draw_grid(np.zeros((MOST_IMAGES, 8, 8, 1), np.float32), tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_one_component_is_drawn_and_others_are_refused(digits_run, tmp_path, capsys):
    out = str(tmp_path / "one.npy")
    root, run = str(digits_run), load_run(digits_run)
    assert run_command(["sample", root, "--component", "1", "--count", "5", "--out", out]) == 0
    expected = run.decode(run.density.sample_component(1, 5, 0))
    np.testing.assert_allclose(np.load(out), expected, atol=1e-4)
    assert run_command(["sample", root, "--component", "10", "--out", out]) == 1
    assert "--component must be from 0 to 9, a component of the mixture; got 10" in capsys.readouterr().err
    assert run_command(["sample", root, "--density", "gaussian", "--component", "0", "--out", out]) == 1
    assert "--component needs a density that is a mixture" in capsys.readouterr().err


def test_the_earlier_name_of_paths_still_works_and_is_not_shown(digits_run, tmp_path, capsys):
    for number, flag in enumerate(("--paths", "--ways")):
        out = tmp_path / f"{number}.png"
        assert run_command(["interpolate", str(digits_run), flag, "2", "--steps", "3", "--out", str(out)]) == 0
    assert (tmp_path / "0.png").read_bytes() == (tmp_path / "1.png").read_bytes()
    capsys.readouterr()
    with pytest.raises(SystemExit):
        run_command(["interpolate", "--help"])
    shown = capsys.readouterr().out
    assert "--paths" in shown
    assert "--ways" not in shown
    assert run_command(["interpolate", str(digits_run), "--ways=0"]) == 1
    assert "--paths must be at least 1" in capsys.readouterr().err


def test_features_of_another_shape_are_named(digits_run, tmp_path, stripes_features, capsys):
    before = (digits_run / "evaluation.json").read_bytes()
    arguments = ["evaluate", str(digits_run), "--features", str(stripes_features), "--protocol", "vrrae"]
    assert run_command(arguments) == 1
    error = capsys.readouterr().err
    assert "(8, 8, 1)" in error
    assert "(12, 12, 3)" in error
    assert error.count("\n") == 1
    assert (digits_run / "evaluation.json").read_bytes() == before


@pytest.fixture
def stripes_features(tmp_path):
    from fastrrae import Dataset
    from fastrrae.data import Normalisation

    rng = np.random.default_rng(0)
    images, labels = rng.standard_normal((40, 12, 12, 3)).astype(np.float32), np.arange(40) % 2
    dataset = Dataset(images, {"test": images}, Normalisation(0.0, 1.0), {"train": labels, "test": labels})
    path = tmp_path / "features.npz"
    save_classifier(path, train_features(dataset, "stripes", FeatureTraining(steps=2)))
    return path


def test_other_data_of_the_run_are_refused(vectors_run, tmp_path, capsys):
    np.save(tmp_path / "y.npy", np.random.default_rng(0).standard_normal((60, 11)).astype(np.float32))
    before = (vectors_run / "evaluation.json").read_bytes()
    assert run_command(["evaluate", str(vectors_run), "--data", str(tmp_path / "y.npy")]) == 1
    assert "the data is not that of the run" in capsys.readouterr().err
    assert (vectors_run / "evaluation.json").read_bytes() == before


def test_a_run_is_not_compared_with_itself(digits_run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(digits_run.parent)
    for other in (str(digits_run), "run", "./run/"):
        assert run_command(["compare", str(digits_run), other, "--out", str(tmp_path / "out")]) == 1
        assert "which are the same" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_results_say_what_depends_on_the_rotation(digits_run):
    evaluation = json.loads((digits_run / "evaluation.json").read_text())
    assert 1 <= evaluation["latent"]["numerical_rank"] <= 4
    assert "rotation" in evaluation["protocol"]["latent"]
    report = (digits_run / "report.html").read_text(encoding="utf-8")
    assert "depends on the rotation" in report
    assert "numerical rank" in report


def test_errors_by_feature_are_those_of_vectors(digits_run, vectors_run):
    assert "feature_errors" not in json.loads((digits_run / "evaluation.json").read_text())
    assert len(json.loads((vectors_run / "evaluation.json").read_text())["feature_errors"]) == 10


def test_other_data_can_be_judged_on_request(vectors_run, tmp_path, capsys):
    np.save(tmp_path / "y.npy", np.random.default_rng(1).standard_normal((50, 10)).astype(np.float32))
    before = (vectors_run / "evaluation.json").read_bytes()
    out = tmp_path / "results.json"
    command = ["evaluate", str(vectors_run), "--other-data", str(tmp_path / "y.npy")]
    assert run_command([*command, "--out", str(out)]) == 0
    assert 0 < json.loads(out.read_text())["reconstruction_error"] != json.loads(before)["reconstruction_error"]
    assert (vectors_run / "evaluation.json").read_bytes() == before
    assert run_command(command) == 1
    assert "--other-data together with --out" in capsys.readouterr().err
    np.save(tmp_path / "z.npy", np.random.default_rng(1).standard_normal((50, 11)).astype(np.float32))
    assert run_command(["evaluate", str(vectors_run), "--other-data", str(tmp_path / "z.npy"), "--out", str(out)]) == 1
    assert "must have samples of shape (10,)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "options", "suffix", "start"),
    [
        ("spectrum", [], ".pdf", b"%PDF"),
        ("means", [], ".svg", b"<?xml"),
        ("embedding", ["--points", "40"], ".png", b"\x89PNG"),
        ("embedding", ["--points", "40", "--method", "pca"], ".svg", b"<?xml"),
        ("neighbours", ["--count", "3"], ".png", b"\x89PNG"),
        ("components", ["--count", "3"], ".pdf", b"%PDF"),
    ],
)
def test_every_plot_alone(digits_run, tmp_path, name, options, suffix, start):
    file = tmp_path / f"plot{suffix}"
    assert run_command(["plot", name, str(digits_run), *options, "--out", str(file)]) == 0
    assert file.read_bytes().startswith(start)


@pytest.mark.parametrize("suffix", [".svg", ".pdf"])
def test_the_same_plot_gives_the_same_file(digits_run, tmp_path, suffix):
    files = [plot("spectrum", digits_run, tmp_path / f"{number}{suffix}") for number in range(2)]
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["spectrum", "RUN", "--out", "a.jpg"], "--out must end in .png or .svg or .pdf; got a.jpg"),
        (["spectrum", "RUN", "--out", "absent/a.png"], "--out is in the folder absent, which does not exist"),
        (["neighbours", "RUN", "OTHER"], "--runs must be one run for the plot neighbours; got 2"),
        (["spectrum", "RUN", "RUN"], "--runs must be different runs"),
        (["spectrum", "absent"], "absent is not a run folder"),
        (["means", "RUN", "OTHER"], "the data is not that of the run"),
        (["embedding", "RUN", "--points", "1"], "--points must be from 2 to 1000; got 1"),
        (["neighbours", "RUN", "--count", "101"], "at most 100 in a row"),
        (["components", "RUN", "--count", "0"], "--count must be at least 1; got 0"),
    ],
)
def test_what_a_plot_refuses(digits_run, vectors_run, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    places = {"RUN": str(digits_run), "OTHER": str(vectors_run)}
    assert run_command(["plot", *(places.get(argument) or argument for argument in arguments)]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_plot_without_a_known_name(digits_run):
    with pytest.raises(SystemExit):
        run_command(["plot", "histogram", str(digits_run)])
    with pytest.raises(InputError, match="`name` must be one of spectrum, means, embedding, neighbours, components"):
        plot("histogram", digits_run, "a.png")  # pyright: ignore[reportArgumentType]


def test_the_diagonal_motion_is_in_the_means(digits_run, tmp_path):
    run = load_run(digits_run)
    digits = load_dataset(run.config.data)
    moving = dataclasses.replace(digits, tests={**digits.tests, "diagonal": digits.test[:50]})
    draw_means({"one": run, "two": run}, moving, tmp_path / "a.svg")
    text = (tmp_path / "a.svg").read_text()
    assert text.count("<!-- diagonal motion -->") == 1  # one legend
    assert text.count(RED) >= 2
    assert "<!-- two -->" in text


def test_a_component_alone_has_its_mean_and_covariance():
    rng = np.random.default_rng(0)
    far = np.concatenate([rng.normal(-9, 1, (200, 2)), rng.normal(9, [1, 3], (100, 2))])
    mixture = GaussianMixture.fit(far, 2)
    for component in range(2):
        draws = mixture.sample_component(component, 20_000, seed=1)
        np.testing.assert_allclose(draws.mean(0), mixture.means[component], atol=0.1)
        factor = mixture.factors[component]
        np.testing.assert_allclose(np.cov(draws.T), factor @ factor.T, atol=0.4)


def test_a_run_is_exported_as_a_program_and_as_weights(digits_run, tmp_path, capsys):
    run, names = load_run(digits_run), ("decoder.stablehlo", "weights.npz")
    program, weights = (tmp_path / name for name in names)
    assert run_command(["export", str(digits_run), "--part", "decoder", "--out", str(program)]) == 0
    assert run_command(["export", str(digits_run), "--out", str(weights)]) == 0
    assert capsys.readouterr().out.split() == [str(program), str(weights)]
    coefficients = run.training_coefficients[:3]
    expected = run.decode(coefficients)
    decoded = jax.export.deserialize(bytearray(program.read_bytes())).call(coefficients)
    np.testing.assert_allclose(decoded, expected, rtol=1e-5, atol=1e-4)
    np.testing.assert_array_equal(load_weights(weights).decode(coefficients), expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "a.onnx", "--part", "decoder"], "--out must end in .stablehlo, .safetensors, .npz"),
        (["--out", "a.stablehlo"], "--part must be given for a .stablehlo file"),
        (["--out", "a.npz", "--part", "encoder"], "and only for one"),
        (["--out", "a.npz", "--batch-size", "3"], "--batch-size is of a program"),
        (["--out", "a.stablehlo", "--part", "encoder", "--batch-size", "0"], "--batch-size must be at least 1"),
        (["--out", "none/a.npz"], "in the folder none, which does not exist"),
    ],
)
def test_what_cannot_be_exported_is_said(arguments, message, digits_run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run_command(["export", str(digits_run), *arguments]) == 1
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_model_card_says_what_was_measured_and_shows_what_there_is(digits_run, tmp_path, capsys):
    run, evaluation = load_run(digits_run), json.loads((digits_run / "evaluation.json").read_text())
    out = tmp_path / "CARD.md"
    assert run_command(["card", str(digits_run), "--out", str(out)]) == 0
    card = out.read_text(encoding="utf-8")
    assert card.startswith("---\nlibrary_name: fastrrae\n")
    assert f"off by {evaluation['reconstruction_error']:.2f} % of the norm (test samples)" in card
    assert run.folder.load_data_description()["fingerprint"] in card
    assert "training 1,437, test 360" in card
    assert "| training.batch_size | 16 |" in card
    assert evaluation["protocol"]["reconstruction_error"] in card
    assert "New samples were not compared with the data" in card  # by the protocol `brief`
    links = re.findall(r"!\[.+\]\((.+)\)", card)
    assert len(links) == 4
    assert all((tmp_path / link).read_bytes().startswith(b"\x89PNG") for link in links)
    assert run_command(["card", str(digits_run), "--out", str(out)]) == 1
    assert "give --overwrite" in capsys.readouterr().err
    assert run_command(["card", str(digits_run), "--out", str(out), "--overwrite"]) == 0
    for name, message in (("card.txt", "--out must end in .md"), ("none/a.md", "does not exist")):
        assert run_command(["card", str(digits_run), "--out", str(tmp_path / name)]) == 1
        assert message in capsys.readouterr().err


def test_a_model_card_of_a_run_that_was_not_evaluated_says_so(vectors_run, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(vectors_run, copy)
    (copy / "evaluation.json").unlink()
    (copy / "figures" / "samples.png").unlink()
    path = write_model_card(load_run(copy))
    assert path == copy / "README.md"
    card = path.read_text(encoding="utf-8")
    assert "has not been evaluated" in card
    assert "array of `x.npy`" in card
    assert str(vectors_run.parent) not in card
    assert "figures/reconstructions.png" in card
    assert "samples.png" not in card


def test_a_model_card_of_generated_samples_says_what_their_figures_are_of(digits_run, tmp_path):
    """By an evaluation as the protocols of the papers leave it; the file is written here, as measuring takes long."""
    copy = tmp_path / "run"
    shutil.copytree(digits_run, copy)
    (copy / "SHA256SUMS").unlink()
    evaluation = json.loads((copy / "evaluation.json").read_text())
    drawn = {"samples": 100, "fid": 12.25, "kid": 0.5, "kid_std": 0.1, "precision": 0.5, "recall": 0.25}
    evaluation["samples"] = {"mixture": drawn | {"fid_biased": True}}
    evaluation["features"] = {"kind": "classifier", "dimensions": 128, "sha256": "0123456789abcdef"}
    evaluation["protocol"] |= {"densities": {"mixture": "ten Gaussians"}, "drawn": "100", "reference": "the test set"}
    (copy / "evaluation.json").write_text(json.dumps(evaluation))
    card = write_model_card(load_run(copy)).read_text(encoding="utf-8")
    assert "| draws from mixture | 12.250 (biased) |" in card
    assert "measured: ten Gaussians" in card
    assert "128 features of classifier (sha256 `0123456789ab`)" in card
    assert "makes the FIDs too large" in card
