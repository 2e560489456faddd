"""Train and evaluate one run of a sweep; `python -m fastrrae.sweeps.one_run FOLDER NAME [FEATURES]` is its process."""

import sys
from pathlib import Path

from ..compilation_cache import enable_compilation_cache
from ..data import Dataset, load_dataset
from ..errors import InputError
from ..evaluation.evaluate import choose_features, evaluate, is_evaluated
from ..evaluation.protocol import PROTOCOLS
from ..features import FeatureExtractor
from ..host_memory import keep_freed_memory
from ..run import load_run
from ..run_config import RunConfig
from ..run_folder import RunFolder
from ..side_by_side import stop_with_parent
from ..training.preemption import Preempted
from ..training.train import train
from .folder import SweepFolder


def make_run(folder: RunFolder, config: RunConfig, dataset: Dataset, features: FeatureExtractor | None) -> None:
    """Train a run, from its newest checkpoint if it has one, and evaluate it, unless it was."""
    train(config, dataset, folder, resume="auto", quiet=True)
    protocol = PROTOCOLS[config.evaluation.protocol]
    if not is_evaluated(folder, protocol, features):
        evaluate(load_run(folder.root), dataset, protocol=protocol, features=features)


def main() -> int:
    """The exit code: 0, 1 after a message, 143 after SIGTERM."""
    stop_with_parent()
    keep_freed_memory()  # before the first computation
    enable_compilation_cache()
    root, name, *file = sys.argv[1:]
    try:
        sweep = SweepFolder.load(Path(root))
        config = sweep.runs[name]
        dataset, protocol = load_dataset(config.data), PROTOCOLS[config.evaluation.protocol]
        features = choose_features(file[0] if file else None, dataset, config.recipe, protocol)
        make_run(sweep.run_folder(name), config, dataset, features)
    except (InputError, OSError) as error:
        print(f"fastrrae: error: {error}", file=sys.stderr)
        return 143 if isinstance(error, Preempted) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
