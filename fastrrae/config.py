"""The whole configuration of a run: one frozen tree, each part read by one stage of the flow.

Field descriptions are the help texts of the command line.
"""

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_type_hints

import tyro

from .errors import InputError

ModelName = Literal[
    "ae",
    "vae",
    "rrae",
    "vrrae",
    "irmae",
    "lorae",
    "rae",
    "rae-l2",
    "rae-gp",
    "rae-sn",
    "cv-vae",
    "wae",
    "info-vae",
    "gmm-dae",
]
ProtocolName = Literal["default", "vrrae", "rae", "brief"]


@dataclass(frozen=True)
class DataConfig:
    """Where samples come from."""

    source: tyro.conf.Suppress[Literal["gaussians", "digits", "mnist", "array", "records"]] = "digits"
    """Which reader to use; a recipe's own."""
    data: str | None = None
    """Folder or file of a source that reads one: a folder that `fastrrae prepare` has written, the MNIST folder of IDX
    files, or a .npy/.npz array."""
    layout: Literal["auto", "vector", "signal", "image"] = "auto"
    """What one sample of an array is: vector (D), signal (T, C) or image (H, W, C). A missing channel axis is added.
    auto: by the number of axes."""
    normalise: Literal["auto", "none", "unit", "standard"] = "auto"
    """How values enter the model: as they are, scaled to [0, 1], or to zero mean and unit deviation of the training
    set. auto: standard for gaussians and arrays, unit for images."""
    train_count: int | None = None
    """Train on the first so many samples only (normalised like all of them)."""
    test_fraction: float = 0.2
    """Share of an array that is held out for testing (other sources have a fixed split)."""
    workers: int = 0
    """Processes that read a prepared folder; 0 reads in threads, which is enough unless a host feeds several fast
    devices. The batches are the same."""


@dataclass(frozen=True)
class ModelConfig:
    """Encoder, bottleneck and decoder."""

    model: ModelName = "vrrae"
    """Which member of the family."""
    rank: int = 16
    """Coefficients per sample (k in the papers)."""
    latent_size: int = 100
    """Width of the latent space whose rank is reduced (L), of rrae and vrrae; the others use the rank itself."""
    adaptive_rank: tyro.conf.FlagCreatePairsOff[bool] = False
    """Lower the rank while training, as far as it costs nothing (rrae, vrrae); --rank is where it starts."""
    mean: Literal["auto", "identity", "linear"] = "auto"
    """Map to the mean of a variational model. auto: linear for vae, identity for vrrae."""
    linear_layers: int = 4
    """Linear layers between encoder and decoder (irmae); the more, the lower the rank that training finds."""
    linear_variance: float = 1.0
    """Variance of their initial weights, relative to the usual one (irmae)."""
    deviation: float = 1.0
    """Standard deviation of the noise on coefficients (cv-vae)."""
    components: int = 10
    """Gaussians in the prior (gmm-dae)."""
    distance: float = 8.0
    """Of the Gaussians' centres from the origin, each along a coordinate of its own (gmm-dae)."""
    align_after: float = 0.0
    """Share of the steps after which the prior begins to pull, with its Gaussians laid on the clusters that the
    autoencoder has found by then (gmm-dae); 0: from the start, as in the paper."""
    network: Literal["auto", "convolutional", "batch-normalised", "mlp"] = "auto"
    """auto: convolutional (of the RRAE papers) for images and signals, mlp for vectors. batch-normalised: that of the
    RAE, WAE, GMM-DAE and IRMAE papers."""
    encoder_widths: tuple[int, ...] | None = None
    """Channels (or units) of each encoder layer; by default the authors' 32 64; batch-normalised: 128 256 512 1024."""
    decoder_widths: tuple[int, ...] | None = None
    """Channels (or units) of each decoder layer; by default the authors' 256 128 32 8; batch-normalised: 1024 512
    256."""
    spectral_norm: Literal["auto", "none", "decoder", "both"] = "auto"
    """Whose layers are divided by their largest singular values. auto: the decoder's for rae-sn (the RAE's authors
    normalise both), none otherwise."""


@dataclass(frozen=True)
class ObjectiveConfig:
    """What is minimised."""

    reconstruction: Literal["relative", "mse"] = "relative"
    """relative: 100 ||x' - x|| / ||x|| over the batch, in per cent. mse: mean squared error."""
    beta: float | None = None
    """Weight of the model's penalty (the Kullback-Leibler term, of variational models); by default the recipe's."""
    regulariser: float | None = None
    """Weight of the second penalty of models that have two: rae-l2, rae-gp, info-vae."""
    kl_reduction: Literal["sum", "mean"] = "sum"
    """How the term is reduced over the batch; the papers' betas belong to the sum."""
    gradient_of: Literal["output", "jacobian"] = "output"
    """What rae-gp keeps flat: the decoder's summed squares (the authors' code), or all of its derivative (the paper's
    formula, many times slower)."""


@dataclass(frozen=True)
class TrainingConfig:
    """How it is minimised."""

    steps: int | None = None
    """Number of optimiser steps (exclusive with --epochs)."""
    epochs: float | None = None
    """Number of passes over the training set."""
    batch_size: int = 64
    """Samples per step; the SVD is that of the whole batch."""
    optimiser: Literal["adabelief", "adam", "adamw"] = "adabelief"
    """Which optax optimiser."""
    learning_rate: float = 1e-3
    """Peak learning rate."""
    schedule: Literal["constant", "cosine", "plateau"] = "constant"
    """cosine: warm up, then decay to zero. plateau: halve wherever the loss has not improved for a while."""
    warm_up: float = 0.02
    """Share of the steps in which the cosine schedule rises to its peak."""
    plateau_steps: int = 1000
    """Steps over which the plateau schedule averages the loss; two averages without improvement halve the rate."""
    rank_window: int = 50
    """Steps over which --adaptive-rank averages the loss, before it decides anything."""
    rank_patience: int = 4
    """Windows without improvement (of 1 %) after which the loss has settled, or a rank is given up."""
    rank_settle: float = 0.5
    """Share of the steps after which the loss is taken for settled, whether it is or not."""
    rank_tolerance: float = 0.05
    """Share by which the loss at a lower rank may exceed that at the first."""
    seed: int = 0
    """Seeds initialisation, noise and the order of samples; the same seed gives the same bits."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """What encoder and decoder compute in; weights, the SVD and the loss are float32 always. bfloat16 is for GPUs and
    TPUs."""
    distort: float = 0.0
    """How strongly images are turned, sheared, scaled and shifted at random before they are encoded, and reconstructed
    as they were; 1: up to 17 degrees, a quarter, 12 % and 9 %."""
    accumulate: int = 1
    """Micro-batches that each batch is cut into, to save memory; the SVD is then that of a micro-batch."""
    remat: tyro.conf.FlagCreatePairsOff[bool] = False
    """Compute encoder and decoder again in the backward pass instead of keeping their activations, to save memory."""
    log_every: int = 10
    """Steps between two lines of metrics.jsonl."""
    checkpoint_every: int = 500
    """Steps between two checkpoints; the last step always leaves one."""
    keep_last: int = 2
    """How many of the newest checkpoints are kept."""
    keep_best: int = 0
    """How many others are kept: those before which the reconstruction error was lowest, on average over the steps
    logged since the checkpoint before. `fastrrae evaluate RUN --step N` looks at one."""


@dataclass(frozen=True)
class ShardingConfig:
    """How a run is spread over devices; the results are the same to rounding."""

    data_devices: int | None = None
    """Devices that share each batch; by default all, divided by --model-devices."""
    model_devices: int = 1
    """Devices that share large weights and their moments in the optimiser, to save memory."""


@dataclass(frozen=True)
class EvaluationConfig:
    """How a finished run is judged."""

    protocol: ProtocolName = "default"
    """Which samples are judged, beside what, and how many; vrrae and rae are those of the papers, brief leaves samples
    out."""
    mixture_components: int = 10
    """Components of the Gaussian mixture fitted on the coefficients of the training set."""
    evaluation_seed: int = 0
    """Seeds the mixture and the random samples."""


@dataclass(frozen=True)
class RunConfig:
    """Everything that determines a run."""

    recipe: tyro.conf.Suppress[str]
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    sharding: ShardingConfig = field(default_factory=ShardingConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)


def without_place(config: RunConfig) -> RunConfig:
    """What determines the result alone: without devices, readers, and where the data is."""
    data = dataclasses.replace(config.data, data=None, workers=0)
    return dataclasses.replace(config, data=data, sharding=ShardingConfig())


def save_config(config: RunConfig, path: Path) -> None:
    """Write `config` as JSON."""
    path.write_text(json.dumps(dataclasses.asdict(config), indent=2) + "\n")


def load_config(path: Path) -> RunConfig:
    """Read what `save_config` wrote; a field that is missing, unknown or of the wrong kind is named in the error."""
    try:
        return _from_dict(RunConfig, json.loads(path.read_text()))
    except FileNotFoundError:
        raise InputError(f"{path.parent} is not a run folder: it has no {path.name}") from None
    except (json.JSONDecodeError, TypeError) as error:
        raise InputError(f"{path} is not a configuration that this version reads: {error}") from None


def _from_dict(kind: type, values: Any) -> Any:
    hints = get_type_hints(kind)
    unknown = set(values) - set(hints)
    if unknown:
        raise TypeError(f"unknown fields {sorted(unknown)} in {kind.__name__}")
    parts = {}
    for name, value in values.items():
        nested = dataclasses.is_dataclass(hints[name])
        parts[name] = _from_dict(hints[name], value) if nested else tuple(value) if isinstance(value, list) else value
    return kind(**parts)
