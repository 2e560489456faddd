"""Reproduce a table: train and evaluate the runs that are missing, then write it next to the published numbers."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

from ..buckets import inside, local_folder, place_of
from ..data import Dataset, load_dataset
from ..errors import InputError
from ..evaluation.compare import read_evaluation, require_comparable, write_comparison
from ..evaluation.evaluate import choose_features, evaluate, is_evaluated
from ..evaluation.html_page import PictureSection
from ..evaluation.protocol import Protocol
from ..evaluation.protocol_text import notes_on_protocol
from ..evaluation.results_table import ResultsTable, collect_row
from ..features import FeatureExtractor
from ..run import Run, load_run
from ..run_config import RunConfig
from ..run_folder import RunFolder
from ..side_by_side import Job, run_side_by_side
from ..training.train import train
from .specification import RowSpec, TableSpec, run_config

QUICK_STEPS = 20
QUICK_SAMPLES = 200
QUICK_COUNT = 1000
MOST_NAMED = 8  # of the rows that are left out


class TableRun(NamedTuple):
    """One run of a table."""

    row: RowSpec
    folder: RunFolder
    config: RunConfig

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.folder.root.name


@dataclass(frozen=True)
class Reproduction:
    """A table that is being made in a folder, or in a bucket, which holds a run folder for each row and seed."""

    table: TableSpec
    out: Path
    data: str | None = None
    features: str | None = None  # a .npz file; by default a classifier of the labels
    seeds: int | None = None  # how many; by default the table's
    first_seed: int = 0
    quick: bool = False  # a few steps and samples, to check that everything works; the table says so
    rows: tuple[str, ...] = ()  # the names of those that are made; by default all

    def __post_init__(self) -> None:
        object.__setattr__(self, "out", local_folder(self.out))
        if self.seeds is not None and self.seeds < 1:
            raise InputError(f"`seeds` must be at least 1; got {self.seeds}")
        if self.first_seed < 0:
            raise InputError(f"`first_seed` must not be negative; got {self.first_seed}")
        names = [row.name for row in self.table.rows]
        for name in self.rows:
            if name not in names:
                raise InputError(f"`rows` must be rows of {self.table.name}, which are {', '.join(names)}; got {name}")

    @property
    def chosen_rows(self) -> list[RowSpec]:
        """Those that are made, in the order of the table."""
        return [row for row in self.table.rows if not self.rows or row.name in self.rows]

    @property
    def protocol(self) -> Protocol:
        """How its runs are evaluated."""
        return self.table.protocol.scaled_down(QUICK_SAMPLES) if self.quick else self.table.protocol

    def runs(self) -> Iterator[TableRun]:
        """All runs, the first seed of every row first."""
        count = self.table.seeds if self.seeds is None else self.seeds
        for seed in range(self.first_seed, self.first_seed + count):
            for row in self.chosen_rows:
                folder = RunFolder(Path(inside(self.out, f"{_file_name(row.name)}-seed{seed}")))
                steps = QUICK_STEPS if self.quick else None
                config = run_config(self.table, row, seed, self.data, steps=steps)
                if self.quick and self.table.search is not None:  # whose density is fitted on all training samples
                    config = replace(config, data=replace(config.data, train_count=QUICK_COUNT))
                yield TableRun(row, folder, config)


def reproduce(
    asked: Reproduction, *, jobs: int = 1, only: str | None = None, report: Callable[[str], None] = print
) -> ResultsTable | None:
    """Train and evaluate the runs that are missing or unfinished, and write the table.

    Args:
        asked: which table, where, with which data.
        jobs: processes that train side by side, each on its share of this machine's cores: on a CPU, two runs on one
            core each are faster than one after the other on two.
        only: make this run (the name of its folder) and no table.
        report: called with messages on the progress.

    Raises:
        InputError: the data is missing or has changed, or a run that is there was made with other settings.
    """
    runs = _chosen(asked, only)
    if asked.table.search is not None and asked.table.search.check is not None:
        asked.table.search.check()
    load = cache(load_dataset)  # rows of a table may be on several forms of its data
    features = choose_features(asked.features, load(runs[0].config.data), asked.table.recipe, asked.protocol, report)
    if jobs > 1:
        missing = [run for run in runs if not run.folder.summary.is_file()]
        waiting = [Job(run.name, "fastrrae.cli.job", _arguments(asked, run)) for run in missing]
        for name, reason in run_side_by_side(waiting, asked.out, jobs, report).items():
            raise InputError(f"{name} has failed: {reason}")
        runs = _chosen(asked, only)  # as the other processes have left them
    # Evaluation and search share a run, whose codes and density take longer than all else.
    opened = lru_cache(maxsize=1)(load_run)
    found: dict[Path, dict[str, float]] = {}
    for number, run in enumerate(runs, start=1):
        report(f"{run.name} ({number} of {len(runs)})")
        dataset = load(run.config.data)
        _train(run, dataset)
        _evaluate(run, dataset, asked.protocol, features, opened)
        found[run.folder.root] = _search(asked, run, opened, report)
    return None if only is not None else _write_table(asked, runs, found)


def _chosen(asked: Reproduction, only: str | None) -> list[TableRun]:
    runs = [run for run in asked.runs() if only in (None, run.name)]
    if not runs:
        raise InputError(f"`only` must be a run of this table; {asked.table.name} has no {only}")
    return runs


def _train(run: TableRun, dataset: Dataset) -> None:
    """From its start, from its newest checkpoint, or not at all where it is finished."""
    train(run.config, dataset, run.folder, resume=run.folder.config.is_file())


def _evaluate(
    run: TableRun,
    dataset: Dataset,
    protocol: Protocol,
    features: FeatureExtractor | None,
    opened: Callable[[Path], Run],
) -> None:
    """Unless it was, by this protocol and these features."""
    if not is_evaluated(run.folder, protocol, features):
        evaluate(opened(run.folder.root), dataset, protocol=protocol, features=features)


def _search(
    asked: Reproduction, run: TableRun, opened: Callable[[Path], Run], report: Callable[[str], None]
) -> dict[str, float]:
    """What the optimiser finds in the latent space of a run, where the table asks for it."""
    trials = asked.table.search
    if trials is None:
        return {}
    return (trials.scaled_down() if asked.quick else trials).run(opened(run.folder.root), report)


def _write_table(asked: Reproduction, runs: list[TableRun], found: Mapping[Path, dict[str, float]]) -> ResultsTable:
    evaluations = {run.folder.root: read_evaluation(run.folder) for run in runs}
    for data in {run.config.data for run in runs}:
        same = [run.folder for run in runs if run.config.data == data]
        require_comparable(same, [evaluations[folder.root] for folder in same])
    evaluations = {root: replace(own, of_model={**own.of_model, **found[root]}) for root, own in evaluations.items()}
    spec = asked.table
    rows = []
    for row in asked.chosen_rows:
        own = [evaluations[run.folder.root] for run in runs if run.row is row]
        rows.append(collect_row(row.name, own, spec.columns, published=row.published))
    notes = [*notes_on_protocol(next(iter(evaluations.values()))), *spec.remarks]
    if left_out := [row.name for row in spec.rows if row not in asked.chosen_rows]:
        names = ", ".join(left_out) if len(left_out) <= MOST_NAMED else f"{len(left_out)} other rows"
        notes.append(f"Left out: {names}")
    title = spec.title
    if asked.quick:
        title += " (quick: not a result)"
        notes.insert(0, f"Quick: {QUICK_STEPS} steps and {QUICK_SAMPLES} samples, to check that everything works")
    table = ResultsTable(title, spec.columns, rows, notes)
    first = {run.row.name: load_run(run.folder.root) for run in reversed(runs)}
    alike = [run for run in runs if run.config.data == runs[0].config.data]  # pictures are of the same samples
    shown = {run.row.name: first[run.row.name] for run in alike}
    write_comparison(asked.out, table, shown, _draw_pictures(asked, table, shown))
    return table


def _draw_pictures(asked: Reproduction, table: ResultsTable, runs: Mapping[str, Run]) -> list[PictureSection]:
    """The table's own, of models that are in it."""
    asked.out.mkdir(parents=True, exist_ok=True)
    sections = []
    for picture in asked.table.pictures:
        if any(row.model in picture.models for row in asked.chosen_rows):
            path = asked.out / f"{picture.name}.png"
            picture.draw(table, runs, path)
            sections.append(PictureSection(picture.name.capitalize(), path, picture.caption))
    return sections


def _arguments(asked: Reproduction, run: TableRun) -> list[str]:
    """Of the command that makes one run."""
    options = ["reproduce", asked.table.name, "--out", place_of(asked.out), "--only", run.name]
    for name in ("data", "features", "seeds", "first_seed"):
        value = getattr(asked, name)
        options += [] if value is None else [f"--{name.replace('_', '-')}", str(value)]
    options += ["--rows", *asked.rows] if asked.rows else []
    return [*options, *(["--quick"] if asked.quick else [])]


def _file_name(name: str) -> str:
    """`vae, f=I` as `vae-f-I`."""
    return "-".join("".join(c if c.isalnum() or c in ".+" else " " for c in name).split())
