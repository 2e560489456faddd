"""Small runs that the explorer opens: images with labels, a table with parameters, signals without their data."""

import numpy as np
import pytest

from fastrrae import (
    AE,
    DataConfig,
    Dataset,
    NetworkConfig,
    RunConfig,
    ShardingConfig,
    TrainingConfig,
    load_dataset,
    load_run,
    train,
)


def trained(out, data, dataset, rank):
    config = RunConfig(
        "small",
        data,
        AE(rank=rank),
        network=NetworkConfig(network="mlp", encoder_widths=(16,), decoder_widths=(16,)),
        training=TrainingConfig(steps=2, batch_size=16),
        sharding=ShardingConfig(data_devices=1),
    )
    train(config, dataset, out, quiet=True)
    return load_run(out)


@pytest.fixture(scope="package")
def digits(tmp_path_factory):
    data = DataConfig("digits")
    dataset = load_dataset(data)
    return trained(tmp_path_factory.mktemp("digits") / "run", data, dataset, rank=4), dataset


@pytest.fixture(scope="package")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("table") / "x.csv"
    rows = np.random.default_rng(0).standard_normal((60, 6))
    lines = [",".join([*map(str, row), "hot" if row[0] > 0 else "cold"]) for row in rows]
    path.write_text("\n".join(["a,b,c,d,time,mass,kind", *lines]))
    data = DataConfig("array", str(path), label_column="kind", parameter_columns=("time", "mass"))
    dataset = load_dataset(data)
    return trained(path.parent / "run", data, dataset, rank=4), dataset


@pytest.fixture(scope="package")
def signals(tmp_path_factory):
    """A run of one coefficient whose data was handed over in Python, and is gone."""
    phase = np.random.default_rng(0).uniform(0, 3, 50)
    curves = np.sin(np.linspace(0, 6, 16) + phase[:, None])[..., None].astype(np.float32)
    dataset = Dataset.from_arrays(curves, layout="signal")
    return trained(tmp_path_factory.mktemp("signals") / "run", DataConfig(), dataset, rank=1), None
