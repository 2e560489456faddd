"""Several evaluated runs side by side: a table over seeds, and pictures of the same inputs."""

import json
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from ..config import RunConfig, ShardingConfig
from ..errors import InputError
from ..run import Run, load_run
from ..run_folder import RunFolder, write_json
from . import figures
from .interpolation import distant_pairs, interpolate
from .page import Picture, figure, write_page
from .table import Column, Table, collect

SHOWN = 10  # samples in a row of a picture

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
    first_runs = {
        name: load_run(folders[members[0]].root) for name, members in zip(names, groups.values(), strict=True)
    }
    write_comparison(Path(out), table, first_runs)
    return table


def write_comparison(out: Path, table: Table, runs: dict[str, Run]) -> None:
    """The table as three files, and pictures of one run for each row; they are drawn before anything is written."""
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
        accuracy = f", test accuracy {100 * features['test_accuracy']:.2f} %" if "test_accuracy" in features else ""
        notes.append(
            f"FID, KID, precision and recall against {protocol['reference']}, in {features['dimensions']} features "
            f"of {features['kind']}{accuracy} (sha256 {features['sha256'][:12]})"
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
        config = folder.load_config()
        settings = replace(
            config,
            data=replace(config.data, data=None, workers=0),
            training=replace(config.training, seed=0),
            sharding=ShardingConfig(),
        )
        groups.setdefault(settings, []).append(number)
    return groups


def _names(configs: Sequence[RunConfig]) -> list[str]:
    """The model of each, and what tells it from the others: `vrrae, beta 0.001`."""
    flat = [_flat(config) for config in configs]
    differing = [
        key for key in flat[0] if key not in ("model.model", "recipe") and len({values[key] for values in flat}) > 1
    ]
    names = []
    for config, values in zip(configs, flat, strict=True):
        name = config.model.model
        alike = [other for other, of_other in zip(configs, flat, strict=True) if of_other["model.model"] == name]
        telling = [key for key in differing if len({_flat(other)[key] for other in alike}) > 1]
        names.append(", ".join([name, *(f"{key.split('.')[1].replace('_', ' ')} {values[key]}" for key in telling)]))
    return names


def _flat(config: RunConfig) -> dict[str, Any]:
    found: dict[str, Any] = {"recipe": config.recipe}
    for part in fields(config):
        if part.name != "recipe":
            values = getattr(config, part.name)
            found |= {f"{part.name}.{item.name}": getattr(values, item.name) for item in fields(values)}
    return found
