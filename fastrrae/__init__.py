"""fastrrae: rank-reduction autoencoders in JAX.

The flow, stage by stage: `data` (source, pipeline, batch), `models` (encoder, bottleneck, decoder), `objectives`,
`training` (optimiser, step, loop, checkpoint), `evaluation` (densities, metrics, report). `cli` runs it.
"""

from .build import build_model as build_model
from .config import DataConfig as DataConfig
from .config import EvaluationConfig as EvaluationConfig
from .config import ModelConfig as ModelConfig
from .config import ObjectiveConfig as ObjectiveConfig
from .config import RunConfig as RunConfig
from .config import ShardingConfig as ShardingConfig
from .config import TrainingConfig as TrainingConfig
from .data import Dataset as Dataset
from .data import Normalisation as Normalisation
from .data import load_dataset as load_dataset
from .errors import InputError as InputError
from .errors import TrainingDiverged as TrainingDiverged
from .models import Autoencoder as Autoencoder
from .models import BasisNotFitted as BasisNotFitted
from .objectives.objective import make_objective as make_objective
from .recipes import RECIPES as RECIPES
from .run import Run as Run
from .run import load_run as load_run
from .run_folder import RunFolder as RunFolder
from .training.loop import train as train
