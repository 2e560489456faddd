"""`python -m fastrrae.sweeps FOLDER NAME [FEATURES]`: the process of one run of a sweep, started by `sweep`."""

import sys

from ..buckets import local_folder, with_addresses
from ..compilation_cache import enable_compilation_cache
from ..data import load_dataset
from ..errors import InputError
from ..evaluation.evaluate import choose_features
from ..evaluation.protocol import PROTOCOLS
from ..host_memory import keep_freed_memory
from ..side_by_side import stop_with_parent
from ..training.preemption import Preempted
from .folder import SweepFolder
from .one_run import make_run


def main() -> int:
    """The exit code: 0, 1 after a message, 143 after SIGTERM."""
    stop_with_parent()
    keep_freed_memory()  # before the first computation
    enable_compilation_cache()
    root, name, *file = sys.argv[1:]
    try:
        sweep = SweepFolder.load(local_folder(root))
        config = sweep.runs[name]
        dataset, protocol = load_dataset(config.data), PROTOCOLS[config.evaluation.protocol]
        features = choose_features(file[0] if file else None, dataset, config.recipe, protocol)
        make_run(sweep.run_folder(name), config, dataset, features)
    except (InputError, OSError) as error:
        print(f"fastrrae: error: {with_addresses(str(error))}", file=sys.stderr)
        return 143 if isinstance(error, Preempted) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
