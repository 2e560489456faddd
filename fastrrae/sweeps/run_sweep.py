"""Train and evaluate a grid of runs, those that are missing or unfinished, and write their results as one table."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..buckets import local_folder, place_of
from ..config import DataConfig
from ..data import Dataset, load_dataset
from ..errors import InputError
from ..evaluation.evaluate import choose_features, is_evaluated
from ..evaluation.protocol import PROTOCOLS
from ..features import FeatureExtractor
from ..folder_lock import exclusive
from ..recipes import RECIPES
from ..run_config import RunConfig
from ..run_folder import RunFolder
from ..side_by_side import Job, require_cores, run_side_by_side
from ..training.preemption import Preempted
from ..training.resolve import resolve_config
from .folder import SweepFolder
from .grid import SweepRun
from .one_run import make_run
from .results import SweepResults, write_results


def sweep(
    config: RunConfig | str,
    values: Mapping[str, Sequence[Any]],
    *,
    out: str | Path,
    seeds: int | Sequence[int] = 1,
    jobs: int = 1,
    dataset: Dataset | None = None,
    features: str | Path | None = None,
    report: Callable[[str], None] = print,
) -> SweepResults:
    """Train and evaluate a run for each combination of values and seeds, and write one table of all.

    If it is interrupted, at any moment, the same call goes on; runs that are finished are not made again. Another grid
    of the same configuration in the same folder adds its runs. A run that fails (one that diverges) is listed, and the
    others go on; the next call tries it again.

    Args:
        config: what all runs have in common, or the name of a recipe.
        values: lists of values by the full name of the field, such as `model.rank` or `objective.weights.kl`.
        out: the folder, which may be in a bucket: a run folder for each run (`rank=4_kl=0.001_seed=0`), `sweep.csv`
            with a row for each run, `sweep.md` with mean and deviation over seeds, `report.html` with plots, and
            `sweep.json`.
        seeds: how many, counted from that of `config`; or which.
        jobs: processes that train side by side, each on its share of this machine's cores. With 1, runs are made one
            after the other in this process, on all cores.
        dataset: the data, where the configuration does not say how to load it; with `jobs=1` only.
        features: a .npz file for the FID, as in `fastrrae evaluate`.
        report: called with messages on the progress.

    Raises:
        InputError: a field or value is refused, data is missing, the folder holds a sweep of another configuration, or
            all runs have failed.

    Example:
        >>> results = sweep("digits", {"model.rank": [2, 4, 8], "objective.weights.kl": [1e-4, 1e-3]}, out="runs/sweep")
        >>> print(results.table.to_markdown())
    """
    base = _base(config)
    require_cores(jobs)
    if dataset is not None and jobs > 1:
        raise InputError("`dataset` must be left out with `jobs` above 1: other processes load the data themselves")
    inputs = _Inputs(dataset, None if features is None else str(features), report)
    seeds = range(base.training.seed, base.training.seed + seeds) if isinstance(seeds, int) else seeds
    root = local_folder(out)
    made = SweepFolder.open(root, base)
    asked = made.add(base, values, seeds)
    for run in asked:  # before anything is written
        resolve_config(run.config, inputs.dataset(run.config))
    inputs.extractor(asked[0].config)  # likewise
    with exclusive(made.root):
        made = SweepFolder.open(root, base)  # again, as another sweep may have added runs before it let go
        asked = made.add(base, values, seeds)
        made.save()
        failures = _make(made, asked, inputs, jobs)
        for run in asked:
            made.failures.pop(run.name, None)
        made.failures |= failures
        made.save()
        return write_results(made)


def _base(config: RunConfig | str) -> RunConfig:
    if isinstance(config, str):
        if config not in RECIPES:
            raise InputError(f"`config` must be a configuration or one of {', '.join(RECIPES)}; got {config!r}")
        config = RECIPES[config].config
    weights = config.model.weights(config.objective.weights, reconstruction=config.objective.reconstruction)
    return replace(config, objective=replace(config.objective, weights=weights))


@dataclass
class _Inputs:
    """The data of a run and the features it is judged by, loaded once for all runs that have the same."""

    given: Dataset | None
    features_file: str | None
    report: Callable[[str], None]
    data: tuple[DataConfig, Dataset] | None = None
    features: tuple[tuple[DataConfig, str], FeatureExtractor | None] | None = None

    def dataset(self, config: RunConfig) -> Dataset:
        """What a run is trained on."""
        if self.given is not None:
            return self.given
        if self.data is None or self.data[0] != config.data:
            if config.data.source == "own":
                raise InputError("`dataset` must be given: the configuration does not say how to load the data")
            self.data = config.data, load_dataset(config.data)
        return self.data[1]

    def extractor(self, config: RunConfig) -> FeatureExtractor | None:
        """What its samples are compared by; trained here, for all processes, where it is a classifier of the labels."""
        key = config.data, config.evaluation.protocol
        if self.features is None or self.features[0] != key:
            protocol = PROTOCOLS[config.evaluation.protocol]
            found = choose_features(self.features_file, self.dataset(config), config.recipe, protocol, self.report)
            self.features = key, found
        return self.features[1]


def _make(made: SweepFolder, asked: Sequence[SweepRun], inputs: _Inputs, jobs: int) -> dict[str, str]:
    """Make the runs that are missing; why some have failed, by name."""
    missing = [run for run in asked if not _is_finished(made.run_folder(run.name), run.config, inputs)]
    inputs.report(f"{len(asked)} runs, {len(asked) - len(missing)} of them finished")
    if jobs > 1:
        file = [] if inputs.features_file is None else [inputs.features_file]
        waiting = [Job(run.name, "fastrrae.sweeps", [place_of(made.root), run.name, *file]) for run in missing]
        return run_side_by_side(waiting, made.root / "logs", jobs, inputs.report)
    failures = {}
    for number, run in enumerate(missing, start=1):
        inputs.report(f"{run.name} ({number} of {len(missing)})")
        try:
            make_run(made.run_folder(run.name), run.config, inputs.dataset(run.config), inputs.extractor(run.config))
        except Preempted:
            raise
        except (InputError, OSError) as error:
            failures[run.name] = str(error)
            inputs.report(f"{run.name} has failed: {error}")
    return failures


def _is_finished(folder: RunFolder, config: RunConfig, inputs: _Inputs) -> bool:
    """Whether a run is trained and evaluated, and its files are whole."""
    if not folder.summary.is_file():
        return False
    try:
        folder.require_finished()
    except InputError:  # damaged: made again from its last checkpoint, or reported
        return False
    return is_evaluated(folder, PROTOCOLS[config.evaluation.protocol], inputs.extractor(config))
