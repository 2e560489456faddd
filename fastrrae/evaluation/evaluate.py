"""Judge a finished run by a protocol, and leave the numbers, the pictures and the report in its folder."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ..data import Dataset
from ..features import FeatureExtractor, load_features
from ..features.cache import default_features
from ..features.inception import Inception
from ..run import Run
from ..run_folder import write_json
from .measure import measure, value_range
from .pictures import draw_pictures
from .protocol import PROTOCOLS, Protocol
from .report import Picture, write_report


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
    if features is None and protocol.samples:
        features = default_features(dataset, run.config.recipe)
    results = measure(run, dataset, protocol, features)
    write_json(run.folder.evaluation, results)
    _report(run, results, draw_pictures(run, dataset, results["latent"]))
    return results


def features_from(path: str | Path, dataset: Dataset) -> FeatureExtractor:
    """The network in a file (see `load_features`), made to take the values of `dataset`."""
    found = load_features(path)
    return found.for_range(*value_range(dataset.train)) if isinstance(found, Inception) else found


def _report(run: Run, results: dict[str, Any], pictures: list[Picture]) -> None:
    errors = results["reconstruction_errors"]
    main = next(split for split in errors if split != "train")
    summary = json.loads(run.folder.summary.read_text())
    config = run.config
    latent = config.model.latent_size if config.model.model in ("rrae", "vrrae") else config.model.rank
    judged = results.get("samples", {})
    facts = {
        "reconstruction error, test": f"{errors[main]['overall']:.2f} %",
        "reconstruction error, train": f"{errors['train']['overall']:.2f} %",
        **{f"FID, samples of the {name}": f"{figures['fid']:.2f}" for name, figures in list(judged.items())[:1]},
        **_generation_fact(results),
        "coefficients per sample": f"{config.model.rank} of {int(np.prod(run.sample_shape))}",
        "active coefficients": f"{results['latent']['active_units']} of {config.model.rank}",
        "parameters": f"{summary['parameters']:,}",
        "training steps": f"{summary['steps']:,}",
        "training time": f"{summary['seconds']:.0f} s",
    }
    write_report(
        run.folder.report,
        title=f"{config.model.model.upper()} on {config.recipe}",
        subtitle=f"rank {config.model.rank}, latent size {latent}, beta {config.objective.beta:g}, "
        f"batch size {config.training.batch_size}, seed {config.training.seed}",
        facts=facts,
        results=results,
        pictures=pictures,
        details={"Protocol": results["protocol"], "Configuration": asdict(config), "Run": summary},
    )


def _generation_fact(results: dict[str, Any]) -> dict[str, str]:
    errors = results.get("generation_error", {})
    return {f"error of samples, {name}": f"{error['mean']:.2f} %" for name, error in list(errors.items())[:1]}
