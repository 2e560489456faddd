"""The sections of a run's configuration, each read by one stage of the flow.

Field descriptions are the help texts of the command line. The options of each model stand in its own file, in
`fastrrae.models`; `fastrrae.run_config` puts all sections together.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

import msgspec
import tyro

from .buckets import InBucket
from .config_fields import (
    CheckedFields,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ShareBelowOne,
    refuse,
)

SourceName = Literal[
    "own",
    "gaussians",
    "pulse",
    "diffusion",
    "smooth-map-8",
    "smooth-map-16",
    "coloured-shapes",
    "digits",
    "mnist",
    "array",
    "records",
    "expressions",
    "strings",
    "molecules",
]
ProtocolName = Literal["default", "all-densities", "vrrae", "rae", "brief"]


@dataclass(frozen=True)
class DataConfig(CheckedFields):
    """Where samples come from."""

    section: ClassVar[str] = "data"

    source: tyro.conf.Suppress[SourceName] = "own"
    """Which reader to use. own: the data set is handed over in Python and cannot be loaded from this configuration."""
    data: Annotated[str | None, InBucket.OPENED] = None
    """Folder or file of a source that reads one: a folder that `fastrrae prepare` has written, the MNIST folder of IDX
    files, an array in .npy or .npz, a table in .csv with a header, or a text file with one string per line. Of
    molecules: a .csv table with a column `smiles`, or a .smi file."""
    layout: Literal["auto", "vector", "signal", "image"] = "auto"
    """What one sample of an array is: vector (D), signal (T, C) or image (H, W, C). A missing channel axis is added.
    auto: by the number of axes."""
    label_column: str | None = None
    """Column of a .csv table that holds the class of each sample (integers or text), not a feature."""
    parameter_columns: tuple[str, ...] = ()
    """Columns of a .csv table that hold parameters of each sample (numbers), not features."""
    normalise: Literal["auto", "none", "unit", "standard", "unit-per-feature", "standard-per-feature"] = "auto"
    """How values enter the model: as they are, scaled to [0, 1], or to zero mean and unit deviation of the training
    set; all values alike, or each feature (of vectors) or channel by itself. auto: standard-per-feature for vectors,
    standard for gaussians, pulse, diffusion and other arrays, unit for images of the other sources."""
    train_count: PositiveInt | None = None
    """Train on the first samples only, as many as this says (normalised like all of them)."""
    test_fraction: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.2
    """Share of an array that is held out for testing (other sources have a fixed split)."""
    validation_fraction: ShareBelowOne = 0.0
    """Share of the samples (of the training set, where the split is fixed) that is held out for validation."""
    split_seed: NonNegativeInt = 0
    """Seeds the random choice of what is held out."""
    workers: NonNegativeInt = 0
    """Processes that read a prepared folder; 0 reads in threads, which is enough unless a host feeds several fast
    devices. The batches are the same."""
    pad_to: PositiveInt | None = None
    """Pad images of MNIST or Fashion-MNIST (IDX files) with zeros to this height and width, in pixels."""
    shard_window: PositiveInt | None = None
    """Draw batches from this number of shards of a prepared folder at a time, instead of all: needed where a bucket
    holds more than the local disk, and faster on disks that seek."""
    staging_gib: PositiveFloat | None = None
    """Local disk, in GiB, that shards from a bucket may take on each host; by default all of them stay."""
    grammar: Annotated[str | None, InBucket.READ] = None
    """Of strings: a text file with the rules of their grammar, such as S -> S '+' T | T. The run keeps the rules."""
    tokens: Literal["rules", "characters"] = "rules"
    """What strings are sequences of: rules of the grammar, so that whatever is decoded is a string of the grammar, or
    their characters, which may be none."""
    longest: PositiveInt | None = None
    """The most rules, or characters, that a string may have; by default as many as the longest one has (expressions: 15
    rules or 19 characters; molecules: at most 277 or 120)."""


@dataclass(frozen=True)
class NetworkConfig(CheckedFields):
    """The encoder and the decoder."""

    section: ClassVar[str] = "network"

    network: Literal["auto", "convolutional", "batch-normalised", "kernel-4", "mlp", "grammar"] = "auto"
    """auto: convolutional (of the RRAE papers) for images and signals, mlp for vectors, grammar for strings.
    batch-normalised: that of the RAE, WAE and GMM-DAE papers. kernel-4: the same without batch normalisation, of the
    IRMAE paper. grammar: convolutions over the steps, then GRUs, of the grammar VAE."""
    encoder_widths: tuple[PositiveInt, ...] | None = None
    """Channels (or units) of each encoder layer; by default the authors' 32 64; batch-normalised and kernel-4: 128
    256 512 1024; grammar: 2 3 4."""
    decoder_widths: tuple[PositiveInt, ...] | None = None
    """Channels (or units) of each decoder layer; by default the authors' 256 128 32 8; batch-normalised and
    kernel-4: 1024 512 256; grammar: 100 100 100."""
    spectral_norm: Literal["auto", "none", "decoder", "both"] = "auto"
    """The networks whose layers are divided by their largest singular values. auto: what the model asks for (rae-sn:
    the decoder; its authors normalise both), or none."""
    output: Literal["auto", "none", "sigmoid", "tanh"] = "auto"
    """What is applied to the decoder's last layer: none, sigmoid (values in [0, 1]) or tanh (in [-1, 1]). auto: sigmoid
    for the reconstruction loss cross-entropy, else none."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("encoder_widths", "decoder_widths"):
            if getattr(self, name) == ():
                refuse(f"`{self.path(name)}` must have at least one width; got none")


@dataclass(frozen=True)
class ObjectiveConfig(CheckedFields):
    """What is minimised: the reconstruction loss, and the model's penalties by their weights."""

    section: ClassVar[str] = "objective"

    reconstruction: Literal["relative", "mse", "cross-entropy", "gaussian", "rules", "own"] = "relative"
    """relative: 100 ||x' - x|| / ||x|| over the batch, in per cent. mse: mean squared error. cross-entropy: of values
    in [0, 1], summed over the values of a sample. gaussian: the negative log-likelihood of a sample, with one variance
    that is learned. rules: the negative log-likelihood of the rules (or characters) of strings, in nats per string.
    own: a function that is handed over in Python."""
    weights: tyro.conf.Suppress[Mapping[str, NonNegativeFloat]] = field(default_factory=dict)
    """Weights of the penalties by name."""
    noise_draws: PositiveInt = 1
    """Draws of the noise for each sample, of models with noise, over which the reconstruction loss is averaged."""

    def __hash__(self) -> int:
        return hash((self.reconstruction, self.noise_draws, tuple(sorted(self.weights.items()))))


@dataclass(frozen=True)
class TrainingConfig(CheckedFields):
    """How it is minimised."""

    section: ClassVar[str] = "training"

    steps: PositiveInt | None = None
    """Number of optimiser steps (exclusive with epochs)."""
    epochs: PositiveFloat | None = None
    """Number of passes over the training set."""
    batch_size: PositiveInt = 64
    """Samples per step; the SVD is that of the whole batch."""
    optimiser: Literal["adabelief", "adam", "adamw", "own"] = "adabelief"
    """Which optax optimiser. own: one that is handed over in Python, with its own learning rate."""
    learning_rate: PositiveFloat = 1e-3
    """Peak learning rate."""
    schedule: Literal["constant", "cosine", "plateau", "validation-plateau"] = "constant"
    """cosine: warm up, then decay to zero. plateau: halve wherever the loss has not improved for a while.
    validation-plateau: wherever the error on the validation split has not."""
    warm_up: ShareBelowOne = 0.02
    """Share of the steps in which the cosine schedule rises to its peak."""
    plateau_steps: PositiveInt = 1000
    """Steps over which the plateau schedule averages the loss; two averages without improvement halve the rate."""
    seed: NonNegativeInt = 0
    """Seeds initialisation, noise and the order of samples; on CPUs and TPUs, the same seed gives the same
    bits."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """What encoder and decoder compute in; weights, the SVD and the loss are float32 always. bfloat16 is for GPUs and
    TPUs."""
    distort: NonNegativeFloat = 0.0
    """How strongly images are rotated, sheared, scaled and shifted at random before they are encoded, and reconstructed
    as they were; 1: up to 17 degrees, a quarter, 12 % and 9 %."""
    flip: bool = False
    """Reflect each image left to right with probability 1/2, in every step, before all other processing."""
    accumulate: PositiveInt = 1
    """Micro-batches that each batch is cut into, to save memory; the SVD is then that of a micro-batch."""
    remat: bool = False
    """Compute encoder and decoder again in the backward pass instead of keeping their activations, to save memory."""
    validate_every: PositiveInt | None = None
    """Steps between two validations: the reconstruction error on the validation split, where the data has one. By
    default those between two checkpoints."""
    stop_after: PositiveInt | None = None
    """Stop after this number of validations in a row without improvement; by default training runs to its end."""
    log_every: PositiveInt = 10
    """Steps between two lines of metrics.jsonl."""
    checkpoint_every: PositiveInt = 500
    """Steps between two checkpoints; the last step always leaves one."""
    keep_last: PositiveInt = 2
    """How many of the newest checkpoints are kept."""
    keep_best: NonNegativeInt = 0
    """How many others are kept: those with the lowest reconstruction error, on the validation split if there is one,
    else on average over the steps logged since the checkpoint before. `fastrrae evaluate RUN --step N` looks at one."""
    plateau_validations: PositiveInt = 5
    """Validations in a row without improvement after which the validation-plateau schedule halves the rate."""
    ema_decay: ShareBelowOne = 0.0
    """Decay per step of an exponential moving average of the weights, such as 0.999. The average is what validations,
    evaluations and exports see; it costs the memory of the weights once more. 0: no average."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.steps is not None and self.epochs is not None:
            refuse(f"give `training.steps` or `training.epochs`, not both; got {self.steps} and {self.epochs:g}")
        if self.keep_best and self.log_every > self.checkpoint_every:
            refuse(
                f"`training.keep_best` needs `training.log_every` to be at most `training.checkpoint_every`, to "
                f"compare checkpoints by what was logged before them; got {self.log_every} and {self.checkpoint_every}"
            )


@dataclass(frozen=True)
class ShardingConfig(CheckedFields):
    """How a run is spread over devices; the results are the same to rounding."""

    section: ClassVar[str] = "sharding"

    data_devices: PositiveInt | None = None
    """Devices that share each batch; by default all, divided by the number that share weights."""
    model_devices: PositiveInt = 1
    """Devices that share large weights and their moments in the optimiser, to save memory."""
    shard_state: bool = True
    """Devices that share each batch also share large weights and their moments between steps, and their updates (ZeRO,
    FSDP), to save memory and time; not where they are several TPU slices."""


@dataclass(frozen=True)
class EvaluationConfig(CheckedFields):
    """How a finished run is judged."""

    section: ClassVar[str] = "evaluation"

    protocol: ProtocolName = "default"
    """Which samples are judged, against which, and how many; all-densities is the default with a normalising
    flow, vrrae and rae are those of the papers, brief leaves samples out."""
    mixture_components: PositiveInt = 10
    """Components of the Gaussian mixture fitted on the coefficients of the training set."""
    evaluation_seed: NonNegativeInt = 0
    """Seeds the mixture and the random samples."""
