"""From a configuration to a data set. A new source is one more case here."""

from ..config import DataConfig
from .array import load_array
from .dataset import Dataset, Scaling
from .digits import load_digits
from .first import keep_first
from .gaussians import load_gaussians
from .mnist import load_mnist
from .records import is_prepared, load_records

_DEFAULT_SCALING: dict[str, Scaling] = {
    "gaussians": "standard",
    "digits": "unit",
    "mnist": "unit",
    "array": "standard",
    "records": "unit",
}


def load_dataset(config: DataConfig) -> Dataset:
    """Read or make the data set that `config` describes."""
    dataset = _load(config)
    return dataset if config.train_count is None else keep_first(dataset, config.train_count)


def _load(config: DataConfig) -> Dataset:
    scaling = _DEFAULT_SCALING[config.source] if config.normalise == "auto" else config.normalise
    match config.source:
        case "gaussians":
            return load_gaussians(scaling)
        case "digits":
            return load_digits(scaling)
        case "records":
            return load_records(config.data, scaling)
        case "mnist" if is_prepared(config.data):
            return load_records(config.data, scaling)
        case "mnist":
            return load_mnist(config.data, scaling)
        case "array":
            return load_array(config, scaling)
