from dataclasses import replace

import numpy as np
import pytest

from fastrrae import DataConfig, Dataset, ModelConfig, Normalisation, RunConfig, ShardingConfig, TrainingConfig


@pytest.fixture
def config():
    """A run of seconds: a VRRAE on curves of one parameter."""
    return RunConfig(
        "array",
        DataConfig("array", "curves.npy"),
        ModelConfig(rank=2, latent_size=8, encoder_widths=(16,), decoder_widths=(16,)),
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
