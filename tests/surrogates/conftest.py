import numpy as np
import pytest

from fastrrae.cli import run_command

RANGES = np.array([[1.0, 3.0], [0.0, 1.0]])  # of "frequency" and "phase"
TRAIN = ["--model", "rrae", "--rank", "2", "--latent-size", "8", "--encoder-widths", "32", "--decoder-widths", "32"]
TRAIN += ["--steps", "300", "--batch-size", "32", "--learning-rate", "5e-3", "--protocol", "brief", "--quiet"]


def waves(parameters):
    """(count, 24): sines of a frequency and a phase."""
    frequency, phase = np.asarray(parameters, float).T[..., None]
    return np.sin(frequency * np.linspace(0, 2, 24) + phase)


@pytest.fixture(scope="session")
def waves_data(tmp_path_factory):
    low, high = RANGES.T
    parameters = low + np.random.default_rng(0).uniform(size=(80, 2)) * (high - low)
    path = tmp_path_factory.mktemp("waves") / "waves.npz"
    np.savez(path, x=waves(parameters), parameters=parameters, parameter_names=["frequency", "phase"])
    return path


@pytest.fixture(scope="session")
def waves_run(waves_data):
    out = waves_data.parent / "run"
    assert run_command(["train", "array", "--data", str(waves_data), "--out", str(out), *TRAIN]) == 0
    return out
