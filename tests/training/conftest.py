import json
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

import fastrrae.training.session as loop
from fastrrae import (
    MODELS,
    VRRAE,
    DataConfig,
    Dataset,
    NetworkConfig,
    Normalisation,
    ObjectiveConfig,
    RunConfig,
    RunFolder,
    ShardingConfig,
    TrainingConfig,
    train,
)


@pytest.fixture
def config():
    """A run of seconds: a VRRAE on curves of one parameter."""
    return RunConfig(
        "array",
        DataConfig("array", "curves.npy"),
        VRRAE(rank=2, latent_size=8),
        NetworkConfig(encoder_widths=(16,), decoder_widths=(16,)),
        ObjectiveConfig(weights={"kl": 1e-3}),
        training=TrainingConfig(steps=20, batch_size=16, log_every=5, checkpoint_every=10),
        sharding=ShardingConfig(data_devices=1),
    )


@pytest.fixture
def dataset():
    phase = np.random.default_rng(0).uniform(0, 3, 60)
    curves = np.sin(np.linspace(0, 3, 12) + phase[:, None]).astype(np.float32)
    return Dataset(curves[:50], {"test": curves[50:]}, Normalisation(0.0, 1.0))


@pytest.fixture
def with_training():
    """Change training settings of a configuration."""
    return lambda config, **changes: replace(config, training=replace(config.training, **changes))


@pytest.fixture
def with_model():
    """Change the model of a configuration, keeping the options that both have; every penalty weighs a thousandth."""

    def changed(config, name, **options):
        model = MODELS[name].sharing(config.model, **options)
        return replace(config, model=model, objective=ObjectiveConfig(weights=dict.fromkeys(model.penalties(), 1e-3)))

    return changed


@pytest.fixture
def changed_batch(monkeypatch):
    """A context in which `train` meets `change(batch)` instead of the batch of the session's step `at`."""
    original = loop.training_batches

    @contextmanager
    def changed(at, change):
        def batches(*args, **kwargs):
            iterator = original(*args, **kwargs)

            class Changed:
                taken = 0
                close = iterator.close

                def __next__(self):
                    self.taken += 1
                    batch = next(iterator)
                    return change(batch) if self.taken == at else batch

            return Changed()

        with monkeypatch.context() as patch:
            patch.setattr(loop, "training_batches", batches)
            yield

    return changed


@pytest.fixture
def interrupt_training(changed_batch):
    """Train until the session's step `at`, and be interrupted there."""

    def interrupt(_):
        raise KeyboardInterrupt

    def run(config, dataset, folder, at):
        with changed_batch(at, interrupt), pytest.raises(KeyboardInterrupt):
            train(config, dataset, folder)

    return run


@pytest.fixture
def resumed_and_whole(tmp_path, interrupt_training):
    """The folders of a training that is interrupted at a step and resumed, and of one that is not."""

    def run(config, dataset, at):
        resumed, whole = RunFolder(tmp_path / "resumed"), RunFolder(tmp_path / "whole")
        train(config, dataset, whole)
        interrupt_training(config, dataset, resumed, at)
        train(config, dataset, resumed, resume=True)
        return resumed, whole

    return run


@pytest.fixture
def digest():
    """Of the final parameters of a run."""
    return lambda folder: json.loads(folder.summary.read_text())["parameters_sha256"]
