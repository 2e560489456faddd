"""Samples of one class, and classes in pictures."""

import numpy as np
import pytest

from fastrrae import AE, Dataset, InputError, NetworkConfig, RunConfig, TrainingConfig, load_run, train
from fastrrae.cli import run_command
from fastrrae.evaluation.plots import draw_coefficients

CENTRES = {"high": 5.0, "low": -5.0}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    rng = np.random.default_rng(0)
    names = np.where(rng.uniform(size=200) < 0.5, "high", "low")
    x = np.array([CENTRES[name] for name in names])[:, None] + rng.standard_normal((len(names), 6))
    config = RunConfig(
        "levels",
        model=AE(rank=2),
        network=NetworkConfig(encoder_widths=(32,), decoder_widths=(32,)),
        training=TrainingConfig(steps=300, batch_size=32, learning_rate=3e-3),
    )
    out = tmp_path_factory.mktemp("levels") / "run"
    train(config, Dataset.from_arrays(x, labels=names), out, quiet=True)
    return load_run(out)


@pytest.mark.parametrize("name", CENTRES)
def test_samples_of_a_class_are_like_it(run, name):
    samples = run.sample(50, label=name)
    assert np.mean(np.sign(samples.mean(axis=1)) == np.sign(CENTRES[name])) > 0.95
    number = run.label_names.index(name)
    np.testing.assert_array_equal(samples, run.sample(50, label=number))


def test_from_the_command_line(run, tmp_path, capsys):
    out = tmp_path / "a.npy"
    arguments = ["sample", str(run.folder.root), "--count", "20", "--out", str(out), "--label"]
    assert run_command([*arguments, "low"]) == 0
    np.testing.assert_array_equal(np.load(out), run.sample(20, seed=0, label="low"))
    assert run_command([*arguments, "high", "--density", "gaussian"]) == 0
    assert np.load(out).mean() > 3
    assert run_command([*arguments, "high", "--density", "second-stage"]) == 1
    assert "--density must be mixture or gaussian with a --label" in capsys.readouterr().err
    assert run_command([*arguments, "middle"]) == 1
    assert "--label must be a class of the training set (high, low); got 'middle'" in capsys.readouterr().err


def test_what_cannot_be_drawn_is_refused(run):
    with pytest.raises(InputError, match="`density` or `label`, not both"):
        run.sample(3, label="low", density=run.density)
    with pytest.raises(InputError, match="got 7"):
        run.sample(3, label=7)


def test_the_legend_has_the_names(tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr("matplotlib.axes.Axes.legend", lambda self, handles, names, **_: shown.extend(names))
    codes = np.random.default_rng(0).standard_normal((30, 2))
    draw_coefficients(codes, np.arange(30) % 3, tmp_path / "a.png", names=("ant", "bee", "cat"))
    assert shown == ["ant", "bee", "cat"]
