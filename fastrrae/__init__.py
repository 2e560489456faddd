"""Rank-reduction autoencoders in JAX, from data to evaluation.

Train on your own array, and use the run later from its folder alone:

>>> from fastrrae import RRAE, Dataset, RunConfig, load_run, train
>>> config = RunConfig("mine", model=RRAE(rank=4, latent_size=32))
>>> train(config, Dataset.from_arrays(x), "runs/mine")
>>> run = load_run("runs/mine")
>>> run.coefficients(x), run.reconstruct(x), run.sample(100)

- Configuration: `RunConfig` and its sections; `RECIPES` are finished ones.
- Data: `Dataset.from_arrays`, `load_dataset`.
- Models: `AE`, `VAE`, `RRAE`, `VRRAE` and others, by name in `MODELS`.
- Training: `train`, `continue_training`, `Callback`.
- Finished runs: `load_run`, `evaluate`, `compare`.

A sample passes through the subpackages in this order: `data`, `networks`
(encoder), `models` (bottleneck), `networks` (decoder), `objectives`,
`training`; then `densities`, `metrics`, `evaluation`. The commands are in
`cli`. The truncated SVD is the package `fastrrae_kernels`.
"""

from typing import TYPE_CHECKING

from .config import DataConfig as DataConfig
from .config import EvaluationConfig as EvaluationConfig
from .config import NetworkConfig as NetworkConfig
from .config import ObjectiveConfig as ObjectiveConfig
from .config import ShardingConfig as ShardingConfig
from .config import TrainingConfig as TrainingConfig
from .data import Dataset as Dataset
from .data import GrainSamples as GrainSamples
from .data import Normalisation as Normalisation
from .data import Samples as Samples
from .data import load_dataset as load_dataset
from .errors import BasisNotFitted as BasisNotFitted
from .errors import InputError as InputError
from .errors import TrainingDiverged as TrainingDiverged
from .models import AAE as AAE
from .models import AE as AE
from .models import CVVAE as CVVAE
from .models import GMMDAE as GMMDAE
from .models import GMVAE as GMVAE
from .models import IAFVAE as IAFVAE
from .models import IOPVAE as IOPVAE
from .models import IRMAE as IRMAE
from .models import MODELS as MODELS
from .models import RAE as RAE
from .models import RAEGP as RAEGP
from .models import RAEL2 as RAEL2
from .models import RAESN as RAESN
from .models import RRAE as RRAE
from .models import VAE as VAE
from .models import VRRAE as VRRAE
from .models import WAE as WAE
from .models import Autoencoder as Autoencoder
from .models import FlexAE as FlexAE
from .models import FlowVAE as FlowVAE
from .models import InfoVAE as InfoVAE
from .models import InjectiveFlow as InjectiveFlow
from .models import LoRAE as LoRAE
from .models import MaskAAE as MaskAAE
from .models import VampVAE as VampVAE
from .models import build_model as build_model
from .objectives import make_objective as make_objective
from .recipes import RECIPES as RECIPES
from .run import Run as Run
from .run import load_run as load_run
from .run_config import RunConfig as RunConfig
from .run_folder import RunFolder as RunFolder
from .trained_model import TrainedModel as TrainedModel
from .trained_model import load_weights as load_weights
from .training.callbacks import Callback as Callback
from .training.callbacks import CSVWriter as CSVWriter
from .training.callbacks import TensorBoardWriter as TensorBoardWriter
from .training.train import continue_training as continue_training
from .training.train import train as train
from .versions import __version__ as __version__

if TYPE_CHECKING:
    from .evaluation.compare import compare as compare
    from .evaluation.evaluate import evaluate as evaluate
    from .evaluation.model_card import write_model_card as write_model_card
    from .evaluation.named_plots import plot as plot
    from .sweeps.run_sweep import sweep as sweep

__all__ = [
    "AAE",
    "AE",
    "CVVAE",
    "GMMDAE",
    "GMVAE",
    "IAFVAE",
    "IOPVAE",
    "IRMAE",
    "MODELS",
    "RAE",
    "RAEGP",
    "RAEL2",
    "RAESN",
    "RECIPES",
    "RRAE",
    "VAE",
    "VRRAE",
    "WAE",
    "Autoencoder",
    "BasisNotFitted",
    "CSVWriter",
    "Callback",
    "DataConfig",
    "Dataset",
    "EvaluationConfig",
    "FlexAE",
    "FlowVAE",
    "GrainSamples",
    "InfoVAE",
    "InjectiveFlow",
    "InputError",
    "LoRAE",
    "MaskAAE",
    "NetworkConfig",
    "Normalisation",
    "ObjectiveConfig",
    "Run",
    "RunConfig",
    "RunFolder",
    "Samples",
    "ShardingConfig",
    "TensorBoardWriter",
    "TrainedModel",
    "TrainingConfig",
    "TrainingDiverged",
    "VampVAE",
    "__version__",
    "build_model",
    "compare",
    "continue_training",
    "evaluate",
    "load_dataset",
    "load_run",
    "load_weights",
    "make_objective",
    "plot",
    "sweep",
    "train",
    "write_model_card",
]

_LATER = {
    "compare": "fastrrae.evaluation.compare",
    "evaluate": "fastrrae.evaluation.evaluate",
    "write_model_card": "fastrrae.evaluation.model_card",
    "plot": "fastrrae.evaluation.named_plots",
    "sweep": "fastrrae.sweeps.run_sweep",
}


def __getattr__(name: str):
    """What takes a second to import (matplotlib and others) is imported when it is first used."""
    if name not in _LATER:
        raise AttributeError(f"module 'fastrrae' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LATER[name]), name)
