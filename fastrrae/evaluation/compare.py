"""Several evaluated runs side by side: a table over seeds, and pictures of the same inputs."""

import json
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from ..config import RunConfig, without_place
from ..errors import InputError
from ..run import Run, load_run
from ..run_folder import RunFolder, write_json
from . import figures
from .interpolation import distant_pairs, interpolate
from .page import Picture, figure, write_page
from .pictures import SHOWN
from .quality import name_features
from .table import Column, Table, collect

COLUMNS = (
    Column("test error, %", ("reconstruction_error",)),
    Column("train error, %", ("reconstruction_errors", "train", "overall")),
    Column("error of samples, %", ("generation_error", "*", "mean")),
    Column("FID", ("samples", "*", "fid"), 3),
    Column("KID", ("samples", "*", "kid"), 4),
    Column("precision", ("samples", "*", "precision"), 3),
    Column("recall", ("samples", "*", "recall"), 3),
    Column("FID of interpolations", ("interpolations", "fid"), 3),
    Column("FID of reconstructions", ("reconstructions", "fid"), 3),
    Column("clustering accuracy, %", ("clustering_accuracy",)),
    Column("of k-means, %", ("clustering_accuracy_of_k_means",)),
    Column("active units", ("latent", "active_units"), 1),
    Column("effective rank", ("latent", "effective_rank"), 1),
)


def compare(paths: Sequence[str | Path], out: str | Path) -> Table:
    """Write `table.md`, `table.json`, `report.html` and pictures of evaluated runs into the folder `out`.

    Runs that differ in their seeds alone make one row, of mean and deviation.

    Raises:
        InputError: a run is not evaluated, or they cannot be compared: other data, protocol or features.
    """
    folders = [RunFolder(Path(path)) for path in paths]
    evaluations = [read_evaluation(folder) for folder in folders]
    require_comparable(folders, evaluations)
    groups = _by_settings(folders)
    names = _names(list(groups))
    members = dict(zip(names, groups.values(), strict=True))
    rows = [collect(name, [evaluations[i] for i in indices], COLUMNS) for name, indices in members.items()]
    columns = [column for column in COLUMNS if any(row.values[column.name] for row in rows)]
    config = folders[0].load_config()
    table = Table(f"Runs on {config.recipe}", columns, rows, describe_protocol(evaluations[0]))
    write_comparison(Path(out), table, {name: load_run(folders[first].root) for name, (first, *_) in members.items()})
    return table


def write_comparison(out: Path, table: Table, runs: dict[str, Run]) -> None:
    """The table as three files, and pictures of one run for each row; the pictures first."""
    out.mkdir(parents=True, exist_ok=True)
    pictures = draw_side_by_side(runs, out)
    write_json(out / "table.json", table.to_json())
    (out / "table.md").write_text(table.to_markdown())
    write_page(
        out / "report.html",
        title=table.title,
        subtitle=f"{len(table.rows)} rows; cells are mean and deviation over the runs of a row",
        facts={},
        sections=[table.to_html(), *map(figure, pictures)],
    )


def draw_side_by_side(runs: dict[str, Run], out: Path) -> list[Picture]:
    """Reconstructions of the same samples, a way between the same two, and samples, a row for each run."""
    examples = next(iter(runs.values())).examples
    shown = examples[:SHOWN]
    i, j = distant_pairs(examples.reshape(len(examples), -1), 1)[0]
    ways = {}
    for name, run in runs.items():
        start, end = run.coefficients(examples[[i, j]])
        ways[name] = run.decode(interpolate(start, end, SHOWN))
    rows = {
        "reconstructions": {"input": shown, **{name: run.reconstruct(shown) for name, run in runs.items()}},
        "interpolations": ways,
        "samples": {name: run.sample(SHOWN) for name, run in runs.items()},
    }
    captions = {
        "reconstructions": "The same test samples, and what each model makes of them.",
        "interpolations": "The straight way between the coefficients of the same two test samples.",
        "samples": "Decoded draws from the Gaussian mixture on each model's training coefficients.",
    }
    for name, samples in rows.items():
        figures.draw_rows(samples, out / f"{name}.png")
    return [Picture(name.capitalize(), out / f"{name}.png", caption) for name, caption in captions.items()]


def read_evaluation(folder: RunFolder) -> dict[str, Any]:
    """What `fastrrae evaluate` found."""
    folder.require_finished()
    if not folder.evaluation.is_file():
        raise InputError(f"the run in {folder.root} has not been evaluated: `fastrrae evaluate {folder.root}`")
    evaluation = json.loads(folder.evaluation.read_text())
    if "name" not in evaluation.get("protocol", {}):
        raise InputError(
            f"the run in {folder.root} was evaluated by an earlier version: `fastrrae evaluate {folder.root}`"
        )
    return evaluation


def require_comparable(folders: Sequence[RunFolder], evaluations: Sequence[dict[str, Any]]) -> None:
    """Raise unless all have the data, protocol and features of the first."""
    facts = [json.loads(folder.data.read_text()) for folder in folders]
    for folder, fact, evaluation in zip(folders, facts, evaluations, strict=True):
        differs = {
            "data": fact != facts[0],
            "protocol": _protocol_of(evaluation) != _protocol_of(evaluations[0]),
            "features": _digest(evaluation) != _digest(evaluations[0]),
        }
        for what, different in differs.items():
            if different:
                raise InputError(
                    f"figures of {folders[0].root} and {folder.root} cannot be compared: their {what} differ. Evaluate "
                    f"both with the same --protocol and --features, on the same data"
                )


def describe_protocol(evaluation: dict[str, Any]) -> list[str]:
    """How the figures of a table were measured."""
    protocol = evaluation["protocol"]
    notes = [f"Protocol {protocol['name']}, seed {protocol['seed']}; error: {protocol['reconstruction_error']}"]
    if "densities" in protocol:
        first = next(iter(protocol["densities"].values()))
        notes.append(f"Samples: {protocol['drawn']}; density: {first}")
    if "features" in evaluation:
        features = evaluation["features"]
        notes.append(
            f"FID, KID, precision and recall against {protocol['reference']}, in {name_features(features)} "
            f"(sha256 {features['sha256'][:12]})"
        )
    if "interpolations" in protocol:
        notes.append(f"Interpolations: {protocol['interpolations']}")
    return notes


def _protocol_of(evaluation: dict[str, Any]) -> dict[str, Any]:
    """Without what depends on the model: which densities it has."""
    return {name: value for name, value in evaluation["protocol"].items() if name != "densities"}


def _digest(evaluation: dict[str, Any]) -> str | None:
    return evaluation.get("features", {}).get("sha256")


def _by_settings(folders: Sequence[RunFolder]) -> dict[RunConfig, list[int]]:
    """Indices of the runs by their configuration without seeds, places and devices."""
    groups: dict[RunConfig, list[int]] = {}
    for number, folder in enumerate(folders):
        config = without_place(folder.load_config())
        groups.setdefault(replace(config, training=replace(config.training, seed=0)), []).append(number)
    return groups


def _names(configs: Sequence[RunConfig]) -> list[str]:
    """The model of each, and what tells it from others of the same model: `vrrae, beta 0.001`."""
    settings = [_settings(config) for config in configs]
    names = []
    for own in settings:
        alike = [other for other in settings if other["model"] == own["model"]]
        telling = [name for name in own if len({other[name] for other in alike}) > 1]
        names.append(", ".join([own["model"], *(f"{name.replace('_', ' ')} {own[name]}" for name in telling)]))
    return names


def _settings(config: RunConfig) -> dict[str, Any]:
    """All options of a configuration by their names, which no two parts share."""
    parts = (getattr(config, part.name) for part in fields(config) if part.name != "recipe")
    return {item.name: getattr(part, item.name) for part in parts for item in fields(part)}
