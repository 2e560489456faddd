"""Make a table: train and evaluate what is missing of its runs, then write it beside the paper's figures."""

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ..config import RunConfig
from ..data import Dataset, load_dataset
from ..errors import InputError
from ..evaluation.compare import describe_protocol, read_evaluation, require_comparable, write_comparison
from ..evaluation.evaluate import choose_features, evaluate
from ..evaluation.protocol import Protocol
from ..evaluation.table import Table, collect
from ..features import FeatureExtractor
from ..run import load_run
from ..run_folder import RunFolder
from ..training.loop import train
from .tables import Member, TablePlan

QUICK_STEPS = 20
QUICK_SAMPLES = 200


@dataclass(frozen=True)
class Reproduction:
    """A table that is being made in a folder, which holds a run folder for each member and seed."""

    table: TablePlan
    out: Path
    data: str | None = None
    features: str | None = None  # a .npz file; by default a classifier of the labels
    seeds: int | None = None  # how many; by default the table's
    first_seed: int = 0
    quick: bool = False  # budgets cut down to see that everything works; the table says so

    @property
    def protocol(self) -> Protocol:
        """How its runs are judged."""
        return self.table.protocol.scaled_down(QUICK_SAMPLES) if self.quick else self.table.protocol

    def planned(self) -> Iterator["PlannedRun"]:
        """All runs, the first seed of every member first."""
        count = self.table.seeds if self.seeds is None else self.seeds
        for seed in range(self.first_seed, self.first_seed + count):
            for member in self.table.members:
                folder = RunFolder(self.out / f"{_file_name(member.name)}-seed{seed}")
                config = self.table.config(member, seed, self.data)
                if self.quick:
                    config = dataclasses.replace(
                        config, training=dataclasses.replace(config.training, steps=QUICK_STEPS, epochs=None)
                    )
                yield PlannedRun(member, folder, config)


class PlannedRun(NamedTuple):
    """One run of a table."""

    member: Member
    folder: RunFolder
    config: RunConfig


def reproduce(
    asked: Reproduction, *, jobs: int = 1, only: str | None = None, report: Callable[[str], None] = print
) -> Table | None:
    """Train and evaluate the runs that are missing or unfinished, and write the table.

    Args:
        asked: which table, where, with which data.
        jobs: processes that train side by side, each on its share of this machine's cores: on a CPU, two runs on one
            core each are faster than one after the other on two.
        only: make this run (the name of its folder) and no table.
        report: is told what is going on.

    Raises:
        InputError: the data is missing or has changed, or a run that is there was made with other settings.
    """
    runs = list(asked.planned())
    if only is not None:
        runs = [run for run in runs if run.folder.root.name == only]
        if not runs:
            raise InputError(f"--only must be a run of this table; {asked.table.name} has no {only}")
    dataset = load_dataset(runs[0].config.data)  # before anything is written
    features = choose_features(asked.features, dataset, asked.table.recipe, asked.protocol, report)
    if jobs > 1:
        _train_side_by_side(asked, [run for run in runs if not run.folder.summary.is_file()], jobs, report)
    for number, run in enumerate(runs, start=1):
        report(f"{run.folder.root.name} ({number} of {len(runs)})")
        _train(run, dataset)
        _evaluate(run, dataset, asked.protocol, features)
    return None if only is not None else _write_table(asked, runs)


def _train(run: PlannedRun, dataset: Dataset) -> None:
    """From its start, from its newest checkpoint, or not at all where it is finished."""
    train(run.config, dataset, run.folder, resume=run.folder.config.is_file())


def _evaluate(run: PlannedRun, dataset: Dataset, protocol: Protocol, features: FeatureExtractor | None) -> None:
    """Unless it was, by this protocol and these features."""
    if run.folder.evaluation.is_file():
        found = json.loads(run.folder.evaluation.read_text())
        digest = None if features is None else features.describe()["sha256"]
        same_features = found.get("features", {}).get("sha256") == digest
        if found.get("protocol", {}).get("name") == protocol.name and same_features:
            return
    evaluate(load_run(run.folder.root), dataset, protocol=protocol, features=features)


def _write_table(asked: Reproduction, runs: list[PlannedRun]) -> Table:
    evaluations = {run.folder.root: read_evaluation(run.folder) for run in runs}
    require_comparable([run.folder for run in runs], list(evaluations.values()))
    plan = asked.table
    rows = []
    for member in plan.members:
        own = [evaluations[run.folder.root] for run in runs if run.member is member]
        rows.append(collect(member.name, own, plan.columns, published=member.published))
    notes = [*describe_protocol(next(iter(evaluations.values()))), *plan.remarks]
    title = plan.title
    if asked.quick:
        title += " (quick: not a result)"
        notes.insert(0, f"Quick: {QUICK_STEPS} steps and {QUICK_SAMPLES} samples, to see that everything works")
    table = Table(title, plan.columns, rows, notes)
    first = {run.member.name: load_run(run.folder.root) for run in reversed(runs)}
    write_comparison(asked.out, table, {member.name: first[member.name] for member in plan.members})
    return table


def _train_side_by_side(asked: Reproduction, runs: list[PlannedRun], jobs: int, report: Callable[[str], None]) -> None:
    """Each run as a process of its own, on `1 / jobs` of the cores that this one may use."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) < jobs:
        raise InputError(f"--jobs must be at most the number of cores, {len(cores) or 'unknown here'}; got {jobs}")
    shares = [set(cores[number::jobs]) for number in range(jobs)]

    def make(run: PlannedRun) -> None:
        """One run, in a process of its own, on a share of the cores that is free."""
        log = asked.out / f"{run.folder.root.name}.log"
        report(f"{run.folder.root.name}: log in {log}")
        share = shares.pop()
        try:
            with log.open("w") as file:
                command = [sys.executable, "-m", "fastrrae", *_arguments(asked, run)]
                process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
                os.sched_setaffinity(process.pid, share)  # before it has started any thread
                code = process.wait()
        finally:
            shares.append(share)
        if code:
            raise InputError(f"{run.folder.root.name} ended with {code}: see {log}")

    asked.out.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(jobs) as pool:
        for finished in [pool.submit(make, run) for run in runs]:
            finished.result()


def _arguments(asked: Reproduction, run: PlannedRun) -> list[str]:
    options = ["reproduce", asked.table.name, "--out", str(asked.out), "--only", run.folder.root.name]
    for name in ("data", "features", "seeds", "first_seed"):
        value = getattr(asked, name)
        options += [] if value is None else [f"--{name.replace('_', '-')}", str(value)]
    return [*options, *(["--quick"] if asked.quick else [])]


def _file_name(name: str) -> str:
    """`vae, f=I` as `vae-f-I`."""
    return "-".join("".join(c if c.isalnum() or c in ".+" else " " for c in name).split())
