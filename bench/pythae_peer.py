"""How long does a whole training take, and how well does it reconstruct, next to pythae with the same network?

An autoencoder (AE) and a variational one (VAE) on scikit-learn's handwritten digits: perceptrons with two hidden layers
of 256, 16 latent coordinates, Adam, mean squared error, batches of 64, as pythae's own trainer and `fastrrae.train`
run them, from imported packages to a trained model on disk, both in one process and in turns. RRAE and VRRAE, which
pythae does not have, are trained with the same network and rank 16.

    pip install pythae
    python bench/pythae_peer.py [--smoke] [--epochs 100] [--seeds 3] [--out FILE]
"""

import argparse
import importlib.util
import itertools
import json
import logging
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from timing import describe_machine

from fastrrae import (
    AE,
    RRAE,
    VAE,
    VRRAE,
    Dataset,
    NetworkConfig,
    ObjectiveConfig,
    RunConfig,
    ShardingConfig,
    TrainingConfig,
    load_dataset,
    load_run,
    train,
)
from fastrrae.config import DataConfig
from fastrrae.host_memory import keep_freed_memory

RANK, WIDTHS, BATCH, LEARNING_RATE = 16, (256, 256), 64, 1e-3
MODELS = {
    "ae": AE(rank=RANK),
    "vae": VAE(rank=RANK, kl_reduction="mean"),
    "rrae": RRAE(rank=RANK, latent_size=32),
    "vrrae": VRRAE(rank=RANK, latent_size=32, kl_reduction="mean"),
}


def digits() -> Dataset:
    """The digits as vectors, normalised as both sides get them."""
    stored = load_dataset(DataConfig("digits"))
    scaled = [
        stored.normalisation.apply(np.asarray(x)).reshape(len(x), -1).astype(np.float32)
        for x in (stored.train, stored.test)
    ]
    return Dataset.from_arrays(scaled[0], test=scaled[1], normalise="none")


def error_of(x: np.ndarray, reconstruction: np.ndarray) -> float:
    """Relative error in per cent."""
    return float(100 * np.linalg.norm(reconstruction - x) / np.linalg.norm(x))


def ours(name: str, dataset: Dataset, epochs: int, seed: int) -> tuple[float, float]:
    """Seconds and test error of `fastrrae.train`."""
    model, values = MODELS[name], dataset.sample_shape[0]
    config = RunConfig(
        "digits",
        model=model,
        network=NetworkConfig("mlp", encoder_widths=WIDTHS, decoder_widths=WIDTHS),
        # pythae halves the squared error, summed over values: a mean over values, and so is the KL term
        objective=ObjectiveConfig(reconstruction="mse", weights=dict.fromkeys(model.penalties(), 2 / values)),
        training=TrainingConfig(
            epochs=epochs, batch_size=BATCH, learning_rate=LEARNING_RATE, optimiser="adam", seed=seed
        ),
        sharding=ShardingConfig(data_devices=1),
    )
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        train(config, dataset, Path(folder) / "run", quiet=True)
        seconds = time.perf_counter() - start
        x = np.asarray(dataset.test)
        return seconds, error_of(x, load_run(Path(folder) / "run").reconstruct(x))


def theirs(name: str, dataset: Dataset, epochs: int, seed: int) -> tuple[float, float]:
    """Seconds and test error of pythae's trainer."""
    import torch  # pyright: ignore[reportMissingImports]
    from pythae import models, trainers  # pyright: ignore[reportMissingImports]
    from pythae.data.datasets import BaseDataset  # pyright: ignore[reportMissingImports]

    logging.disable(logging.INFO)
    torch.manual_seed(seed)
    x, test = np.array(dataset.train), np.array(dataset.test)
    values = x.shape[1]
    options = {"input_dim": (values,), "latent_dim": RANK}
    encoder, decoder = torch_networks(values, variational=name == "vae")
    if name == "vae":
        model = models.VAE(models.VAEConfig(**options), encoder, decoder)
    else:
        model = models.AE(models.AEConfig(**options), encoder, decoder)
    with tempfile.TemporaryDirectory() as folder:
        config = trainers.BaseTrainerConfig(
            output_dir=folder,
            num_epochs=epochs,
            learning_rate=LEARNING_RATE,
            per_device_train_batch_size=BATCH,
            optimizer_cls="Adam",
            train_dataloader_num_workers=0,
            no_cuda=True,
            seed=seed,
        )
        train_set = BaseDataset(torch.from_numpy(x), torch.zeros(len(x)))
        start = time.perf_counter()
        trainers.BaseTrainer(model, train_set, training_config=config).train()
        seconds = time.perf_counter() - start
    with torch.no_grad():
        model.eval()
        embedding = model.encoder(torch.from_numpy(test)).embedding
        return seconds, error_of(test, model.decoder(embedding).reconstruction.numpy())


def torch_networks(values: int, *, variational: bool) -> tuple[Any, Any]:
    """The two perceptrons as pythae wants them."""
    from pythae.models.base.base_utils import ModelOutput  # pyright: ignore[reportMissingImports]
    from pythae.models.nn import BaseDecoder, BaseEncoder  # pyright: ignore[reportMissingImports]
    from torch import nn  # pyright: ignore[reportMissingImports]

    def perceptron(*sizes: int) -> list[Any]:
        layers = []
        for before, after in itertools.pairwise(sizes):
            layers += [nn.Linear(before, after), nn.ReLU()]
        return layers

    class Encoder(BaseEncoder):
        def __init__(self):
            super().__init__()
            self.hidden = nn.Sequential(*perceptron(values, *WIDTHS))
            self.mean, self.logvar = nn.Linear(WIDTHS[-1], RANK), nn.Linear(WIDTHS[-1], RANK)

        def forward(self, x: Any) -> Any:
            h = self.hidden(x)
            if variational:
                return ModelOutput(embedding=self.mean(h), log_covariance=self.logvar(h))
            return ModelOutput(embedding=self.mean(h))

    class Decoder(BaseDecoder):
        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(*perceptron(RANK, *WIDTHS), nn.Linear(WIDTHS[-1], values))

        def forward(self, z: Any) -> Any:
            return ModelOutput(reconstruction=self.layers(z))

    return Encoder(), Decoder()


def main() -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "pythae-cpu.json")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--smoke", action="store_true", help="one epoch and one seed: does it run")
    options = parser.parse_args()
    epochs, seeds = (1, 1) if options.smoke else (options.epochs, options.seeds)
    keep_freed_memory()
    dataset = digits()
    contenders = [(name, "fastrrae") for name in MODELS]
    if importlib.util.find_spec("pythae"):
        contenders += [("ae", "pythae"), ("vae", "pythae")]
    found: dict[tuple[str, str], list[tuple[float, float]]] = {contender: [] for contender in contenders}
    for seed in range(seeds):
        for name, package in sorted(contenders):
            measure = ours if package == "fastrrae" else theirs
            found[name, package].append(measure(name, dataset, epochs, seed))
    print(f"{'model':6} {'package':10} {'seconds':>8} {'test error':>11}")
    rows = []
    for (name, package), results in found.items():
        seconds, errors = zip(*results, strict=True)
        rows.append({"model": name, "package": package, "seconds": seconds, "test_errors": errors, "epochs": epochs})
        print(f"{name:6} {package:10} {statistics.median(seconds):6.1f} s {statistics.mean(errors):9.2f} %")
    options.out.parent.mkdir(exist_ok=True)
    options.out.write_text(json.dumps({"machine": describe_machine(), "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
