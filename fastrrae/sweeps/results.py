"""The results of a sweep: `sweep.csv` (one row per run), `sweep.md` (mean, deviation over seeds), `report.html`."""

import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..atomic_files import write_text
from ..buckets import with_addresses
from ..errors import InputError
from ..evaluation.compare import COLUMNS, read_evaluation
from ..evaluation.html_page import PictureSection, Section, TableSection, write_page
from ..evaluation.protocol_text import notes_on_protocol, without_densities
from ..evaluation.results import Evaluation
from ..evaluation.results_table import ResultsTable, collect_row, of_draws, of_pca
from ..evaluation.sweep_plots import Curve, draw_errors, draw_pareto
from ..run_config import RunConfig
from .folder import SweepFolder
from .grid import SEED, setting_text, short_name, values_of

RANK = "model.rank"
_fid = of_draws(lambda metrics: metrics.fid)


@dataclass(frozen=True)
class SweepResults:
    """What `sweep` returns, and has written.

    Attributes:
        out: the folder.
        table: a row for each setting, mean and deviation over its seeds.
        finished: names of the runs that are trained and evaluated.
        failures: why runs have failed, by name.
    """

    out: Path
    table: ResultsTable
    finished: tuple[str, ...]
    failures: dict[str, str]


@dataclass(frozen=True)
class _FinishedRun:
    name: str
    config: RunConfig  # as the run has recorded it
    settings: dict[str, str]  # by the short names of the fields that runs of the sweep differ in
    values: dict[str, Any]  # the same by full names, as they are
    evaluation: Evaluation
    summary: dict[str, Any]

    @property
    def title(self) -> str:
        """The settings in one line."""
        return ", ".join(f"{name}={value}" for name, value in self.settings.items()) or self.config.model.name


def write_results(sweep: SweepFolder) -> SweepResults:
    """Write the three files from what is in the run folders; runs that are unfinished or failed are listed.

    Raises:
        InputError: no run has finished.
    """
    sweep.failures = {name: with_addresses(reason) for name, reason in sweep.failures.items()}
    runs = _finished_runs(sweep)
    write_text(sweep.root / "sweep.csv", _csv(sweep, runs))
    if not runs:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in sweep.failures.items())
        raise InputError(f"no run of the sweep in {sweep.root} has finished. {reasons}")
    groups = _by_setting(runs)
    rows = [
        collect_row(title, [run.evaluation for run in group], COLUMNS, settings=group[0].settings)
        for title, group in groups.items()
    ]
    columns = [column for column in COLUMNS if any(row.values[column.name] for row in rows)]
    notes = [*_notes(runs), *(f"Failed: {name}: {reason}" for name, reason in sweep.failures.items())]
    title = f"Sweep of {runs[0].config.model.name} on {runs[0].config.recipe}"
    table = ResultsTable(title, columns, rows, notes)
    pictures = _draw(sweep, runs, groups)
    write_text(sweep.root / "sweep.md", table.to_markdown())
    write_page(
        sweep.root / "report.html",
        title=title,
        subtitle=f"{len(runs)} of {len(sweep.runs)} runs; cells are mean and deviation over seeds",
        facts={},
        sections=[table.to_section(), *pictures, *_failed(sweep)],
    )
    return SweepResults(sweep.root, table, tuple(run.name for run in runs), dict(sweep.failures))


def _finished_runs(sweep: SweepFolder) -> list[_FinishedRun]:
    found = []
    for name in sweep.runs:
        folder = sweep.run_folder(name)
        if name in sweep.failures or not (folder.summary.is_file() and folder.evaluation.is_file()):
            continue
        try:
            evaluation, config = read_evaluation(folder), folder.load_config()
        except InputError as error:  # damaged since it was made
            sweep.failures[name] = str(error)
            continue
        values = {path: _value(sweep.runs[name], config, path) for path in sweep.fields}
        settings = {short_name(path): setting_text(value) for path, value in values.items()}
        found.append(_FinishedRun(name, config, settings, values, evaluation, folder.load_summary()))
    return found


def _value(asked: RunConfig, recorded: RunConfig, path: str) -> Any:
    """As the run recorded it; of what a run resolves (epochs become steps), as it was asked for."""
    own = values_of(recorded).get(path)
    return values_of(asked).get(path) if own is None else own


def _by_setting(runs: Sequence[_FinishedRun]) -> dict[str, list[_FinishedRun]]:
    groups: dict[str, list[_FinishedRun]] = {}
    for run in sorted(runs, key=lambda run: [_sortable(value) for value in run.values.values()]):
        groups.setdefault(run.title, []).append(run)
    return groups


def _sortable(value: Any) -> tuple[int, float, str]:
    """Numbers by size, then anything else as text."""
    if isinstance(value, int | float):
        return 0, float(value), ""
    return 1, 0.0, setting_text(value)


def _csv(sweep: SweepFolder, runs: Sequence[_FinishedRun]) -> str:
    """A row for each run; numbers with all their digits, nothing where a run has no number."""
    settings = [short_name(path) for path in sweep.fields]
    metrics = [column for column in COLUMNS if any(column.of(run.evaluation) is not None for run in runs)]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(
        ["run", *settings, "seed", "state", "steps", "seconds", *(column.name for column in metrics), "reason"]
    )
    finished = {run.name: run for run in runs}
    for name, asked in sweep.runs.items():
        run = finished.get(name)
        config = asked if run is None else run.config
        own = [setting_text(_value(asked, config, path)) for path in sweep.fields]
        state = "finished" if run else "failed" if name in sweep.failures else "unfinished"
        facts = ["", ""] if run is None else [run.summary["steps"], run.summary["seconds"]]
        numbers = ["" if run is None else _number(column.of(run.evaluation)) for column in metrics]
        seed = values_of(config)[SEED]
        writer.writerow([name, *own, seed, state, *facts, *numbers, sweep.failures.get(name, "")])
    return file.getvalue()


def _number(value: float | None) -> str:
    return "" if value is None or not math.isfinite(value) else repr(float(value))


def _notes(runs: Sequence[_FinishedRun]) -> list[str]:
    notes = notes_on_protocol(runs[0].evaluation)
    if not _comparable(runs):
        notes.insert(0, "Runs differ in protocol or features: their metrics of samples (FID and others) do not compare")
    return notes


def _comparable(runs: Sequence[_FinishedRun]) -> bool:
    """Whether metrics of samples are of one protocol and one feature network."""
    protocols = [json.dumps(without_densities(run.evaluation.protocol), sort_keys=True) for run in runs]
    features = [run.evaluation.features_sha256 for run in runs]
    return len(set(zip(protocols, features, strict=True))) == 1


def _draw(
    sweep: SweepFolder, runs: Sequence[_FinishedRun], groups: dict[str, list[_FinishedRun]]
) -> list[PictureSection]:
    """The plots that apply."""
    folder = sweep.root / "figures"
    folder.mkdir(exist_ok=True)
    pictures = []
    path = _axis(sweep, runs)
    if path is not None:
        setting = short_name(path)
        draw_errors(_curves(runs, path), _pca(runs, path), setting, folder / "errors.png")
        caption = (
            f"A point for each run, a line through the means over seeds; dashed, the error of as many principal "
            f"components of the same data. Over {setting}."
        )
        pictures.append(PictureSection(f"Error against {setting}", folder / "errors.png", caption))
    both = [(title, _error_and_fid(group)) for title, group in groups.items()]
    means = {title: _mean(pairs) for title, pairs in both if pairs}
    if len(means) > 1 and _comparable(runs):
        draw_pareto(means, [pair for _, pairs in both for pair in pairs], folder / "pareto.png")
        caption = (
            "Means over seeds by setting. No setting has both a lower error and a lower FID than one on the Pareto "
            "front."
        )
        pictures.append(PictureSection("Error against FID", folder / "pareto.png", caption))
    return pictures


def _axis(sweep: SweepFolder, runs: Sequence[_FinishedRun]) -> str | None:
    """The rank where runs differ in it, otherwise the first number that they differ in."""
    for path in sorted(sweep.fields, key=lambda path: path != RANK):
        values = [run.values[path] for run in runs]
        numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
        if numbers and len(set(values)) > 1:
            return path
    return None


def _x(run: _FinishedRun, path: str) -> float:
    """The rank is that in the end, where the model has found it itself."""
    return float(run.evaluation.latent.rank if path == RANK else run.values[path])


def _curves(runs: Sequence[_FinishedRun], path: str) -> dict[str, Curve]:
    curves: dict[str, Curve] = {}
    for run in runs:
        others = {name: value for name, value in run.settings.items() if name != short_name(path)}
        title = ", ".join(f"{name}={value}" for name, value in others.items())
        if math.isfinite(run.evaluation.reconstruction_error):
            curve = curves.setdefault(title, Curve([], []))
            curve.x.append(_x(run, path))  # pyright: ignore[reportAttributeAccessIssue]
            curve.error.append(run.evaluation.reconstruction_error)  # pyright: ignore[reportAttributeAccessIssue]
    return curves


def _pca(runs: Sequence[_FinishedRun], path: str) -> Curve:
    pairs = [(_x(run, path), of_pca(run.evaluation)) for run in runs]
    known = [(x, error) for x, error in pairs if error is not None and math.isfinite(error)]
    return Curve([x for x, _ in known], [error for _, error in known])


def _error_and_fid(runs: Sequence[_FinishedRun]) -> list[tuple[float, float]]:
    pairs = [(run.evaluation.reconstruction_error, _fid(run.evaluation)) for run in runs]
    return [(error, fid) for error, fid in pairs if fid is not None and math.isfinite(error) and math.isfinite(fid)]


def _mean(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return sum(error for error, _ in pairs) / len(pairs), sum(fid for _, fid in pairs) / len(pairs)


def _failed(sweep: SweepFolder) -> list[Section]:
    if not sweep.failures:
        return []
    rows = [[name, reason] for name, reason in sweep.failures.items()]
    return [TableSection("Runs that failed", "The same command tries them again.", ["run", "reason"], rows)]
