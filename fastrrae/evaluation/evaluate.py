"""Judge a finished run by a protocol, and leave the numbers, the pictures and the report in its folder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..data import Dataset
from ..features import FeatureExtractor, load_features
from ..features.cache import default_features
from ..features.inception import Inception
from ..run import Run
from ..run_folder import write_json
from .draws import value_range
from .measure import measure
from .pictures import draw_pictures
from .protocol import PROTOCOLS, Protocol
from .report import write_report


def evaluate(
    run: Run, dataset: Dataset, *, protocol: Protocol | None = None, features: FeatureExtractor | None = None
) -> dict[str, Any]:
    """Write `evaluation.json`, `figures/*.png` and `report.html` of a run, and return what the first one holds.

    Args:
        run: a finished run.
        dataset: its data.
        protocol: what is measured; by default the one that the run's configuration names.
        features: the network by which samples are compared; by default a classifier of the data set's labels, trained
            once and kept in the user's cache. Without labels samples are drawn, but not compared.
    """
    protocol = protocol or PROTOCOLS[run.config.evaluation.protocol]
    features = features or choose_features(None, dataset, run.config.recipe, protocol)
    results = measure(run, dataset, protocol, features)
    write_json(run.folder.evaluation, results)
    write_report(run, results, draw_pictures(run, dataset, results["latent"]))
    return results


def choose_features(
    path: str | Path | None, dataset: Dataset, name: str, protocol: Protocol, report: Callable[[str], None] = print
) -> FeatureExtractor | None:
    """The network in a file (see `load_features`), made to take the values of `dataset`.

    Without a file, the default of the data set called `name`, if it has one and the protocol draws samples at all.
    """
    if path is None:
        return default_features(dataset, name, report) if protocol.samples else None
    found = load_features(path)
    return found.for_range(*value_range(dataset.train)) if isinstance(found, Inception) else found
