"""Train and evaluate one run of a sweep."""

from ..data import Dataset
from ..evaluation.evaluate import evaluate, is_evaluated
from ..evaluation.protocol import PROTOCOLS
from ..features import FeatureExtractor
from ..run import load_run
from ..run_config import RunConfig
from ..run_folder import RunFolder
from ..training.train import train


def make_run(folder: RunFolder, config: RunConfig, dataset: Dataset, features: FeatureExtractor | None) -> None:
    """Train a run, from its newest checkpoint if it has one, and evaluate it, unless it was."""
    train(config, dataset, folder, resume="auto", quiet=True)
    protocol = PROTOCOLS[config.evaluation.protocol]
    if not is_evaluated(folder, protocol, features):
        evaluate(load_run(folder.root), dataset, protocol=protocol, features=features)
