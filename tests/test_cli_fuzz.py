"""Seeded command lines at and beyond the limits of options: an exit code and a sentence, never a traceback."""

import dataclasses
import random

import pytest

from fastrrae import MODELS, RECIPES, RunConfig
from fastrrae.cli import run_command
from fastrrae.training.session import Session

VALUES = ("0", "-1", "1", "2", "7", "0.5", "1.0", "nan", "inf", "-inf", "1e400", "1e-400", "", " ", "x", "½", "auto")
VALUES = (*VALUES, "none", "True", "99999999999999999999", "-0", "0x10", "1_000", "\0", "../x", "--seed", "1e9")
SECTIONS = ("data", "network", "objective", "training", "sharding", "evaluation")


class TrainingWouldStart(Exception):
    """All checks are passed, and the run folder is made."""


@pytest.fixture
def no_training(monkeypatch):
    def run(self, *, resume):
        raise TrainingWouldStart

    monkeypatch.setattr(Session, "run", run)


def options_of(config: RunConfig) -> list[str]:
    """The names of all options of a configuration."""
    sections = [getattr(config, name) for name in SECTIONS]
    names = {field.name for section in [*sections, config.model] for field in dataclasses.fields(section)}
    hidden = {"source", "weights", "reconstruction", "data"}
    return [*sorted(f"--{name.replace('_', '-')}" for name in names - hidden), "--beta", "--reconstruction"]


def command_line(seed: int, out: str) -> list[str]:
    chance = random.Random(seed)
    recipe, model = chance.choice(["digits", "digits", "gaussians", *RECIPES]), chance.choice(list(MODELS))
    names = options_of(RECIPES[recipe].config_for(model))
    options = [part for name in chance.sample(names, chance.randint(1, 4)) for part in (name, chance.choice(VALUES))]
    if chance.random() < 0.2:
        options.pop(chance.randrange(len(options)))
    return ["train", recipe, "--model", model, "--out", out, *options]


def check(seed, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments = command_line(seed, "run")
    try:
        code = run_command(arguments)
    except TrainingWouldStart:
        assert {path.name for path in tmp_path.iterdir()} == {"run"}
        return
    except SystemExit as end:  # of the parser
        code = end.code
    said = capsys.readouterr()
    assert code in (0, 1, 2), arguments
    assert "Traceback" not in said.err + said.out
    assert said.err or code == 0, arguments
    assert not list(tmp_path.iterdir()), arguments


@pytest.mark.parametrize("seed", range(20))
def test_some_command_lines(seed, tmp_path, monkeypatch, capsys, no_training):
    check(seed, tmp_path, monkeypatch, capsys)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 3000))
def test_many_command_lines(seed, tmp_path, monkeypatch, capsys, no_training):
    check(seed, tmp_path, monkeypatch, capsys)
