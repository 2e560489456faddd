"""A new model is one file and one line in the registry: the file, as an exercise, is this one.

A contractive autoencoder (Rifai et al. 2011): the squared Frobenius norm of the encoder's derivative is a penalty. It
has an option, an event during training and a figure in the evaluation of its own, and nothing else knows of it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import Array

from fastrrae.cli import run_command
from fastrrae.config_fields import PositiveInt
from fastrrae.models import MODELS, Autoencoder, Bottleneck, Identity, Model, Output, Penalty, TrainingContext
from fastrrae.models.base import TrainingEvent
from fastrrae.training.metrics_log import read_metrics


@dataclass(frozen=True)
class ContractiveAE(Model):
    """The contractive autoencoder."""

    name: ClassVar[str] = "contractive"
    title: ClassVar[str] = "contractive autoencoder"
    default_weights: ClassVar[dict[str, float]] = {"contraction": 1e-2}

    directions: PositiveInt = 2
    """Random directions along which the derivative is estimated."""

    def bottleneck(self, rngs: nnx.Rngs) -> Bottleneck:
        return Identity(self.rank)

    def penalties(self) -> dict[str, Penalty]:
        def contraction(model: Autoencoder, x: Array, output: Output) -> Array:
            directions = jax.random.normal(jax.random.key(0), (self.directions, *x.shape))
            along = jax.vmap(lambda v: jax.jvp(model.encoder, (x,), (v,))[1])(directions)
            return jnp.mean(jnp.sum(along**2, axis=-1))

        return {"contraction": contraction}

    def events(self, steps: int) -> Sequence[TrainingEvent]:
        def halve_the_last_layer(model: Autoencoder, context: TrainingContext) -> None:
            assert context.coefficients().shape[1] == self.rank
            kernel = model.encoder.mlp.layers[-1].kernel  # pyright: ignore[reportFunctionMemberAccess]
            kernel.set_value(kernel[...] / 2)

        return [TrainingEvent(steps // 2 + 1, halve_the_last_layer)]

    def evaluate(
        self, bottleneck: Bottleneck, coefficients: np.ndarray, samples: Any, labels: np.ndarray | None, seed: int
    ) -> dict[str, float]:
        return {"spread": float(coefficients.std())}


def test_it_trains_resumes_and_is_evaluated_from_the_command_line(tmp_path, monkeypatch, capsys, without_pictures):
    monkeypatch.setitem(MODELS, "contractive", ContractiveAE)  # the line in the registry
    out = str(tmp_path / "run")
    quick = ["--network", "mlp", "--steps", "20", "--log-every", "1", "--protocol", "brief", "--data-devices", "1"]
    own = ["--rank", "4", "--directions", "3", "--contraction-weight", "0.1"]
    assert run_command(["train", "digits", "--model", "contractive", "--out", out, *quick, *own]) == 0
    assert "spread" in capsys.readouterr().out
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["model"] == {"name": "contractive", "rank": 4, "directions": 3}
    assert config["objective"]["weights"] == {"contraction": 0.1}
    rows = read_metrics(tmp_path / "run" / "metrics.jsonl")
    assert rows[10]["contraction"] < 0.5 * rows[9]["contraction"]  # the event, after half of the steps
    assert json.loads((tmp_path / "run" / "evaluation.json").read_text())["spread"] > 0
    assert run_command(["train", "digits", "--model", "contractive", "--out", out, *quick, *own, "--resume"]) == 0
    assert run_command(["sample", out, "--count", "3", "--out", str(tmp_path / "a.npy")]) == 0


def test_its_options_are_in_the_help(monkeypatch, capsys):
    monkeypatch.setitem(MODELS, "contractive", ContractiveAE)
    with pytest.raises(SystemExit):
        run_command(["train", "digits", "--model", "contractive", "--help"])
    shown = capsys.readouterr().out
    assert "--directions" in shown
    assert "--contraction-weight" in shown


def test_without_the_line_in_the_registry_a_run_says_what_is_missing(tmp_path, monkeypatch, capsys, without_pictures):
    monkeypatch.setitem(MODELS, "contractive", ContractiveAE)
    out = str(tmp_path / "run")
    quick = ["--network", "mlp", "--steps", "4", "--protocol", "brief", "--rank", "4", "--data-devices", "1"]
    assert run_command(["train", "digits", "--model", "contractive", "--out", out, *quick]) == 0
    monkeypatch.delitem(MODELS, "contractive")
    assert run_command(["sample", out]) == 1
    assert "must be added to `fastrrae.models.MODELS` first" in capsys.readouterr().err
