"""Several evaluated runs side by side: a table over seeds, and pictures of the same inputs."""

import json
from collections.abc import Sequence
from pathlib import Path

from ..atomic_files import write_json, write_text
from ..buckets import local_folder, publish
from ..errors import InputError
from ..interpolation import distant_pairs, interpolate
from ..run import Run, load_run
from ..run_config import RunConfig
from ..run_folder import RunFolder
from . import plots
from .html_page import PictureSection, TableSection, write_page
from .protocol_text import notes_on_protocol, without_densities
from .results import Evaluation, load_evaluation
from .results_table import (
    EXACT_STRINGS,
    VALID_STRINGS,
    Column,
    ResultsTable,
    collect_row,
    of_draws,
    of_generation,
    of_interpolations,
    of_model,
    of_pca,
)
from .run_plots import SHOWN
from .run_settings import differing_settings, names_of_configs, without_seed
from .string_tables import text_rows

COLUMNS = (
    Column("test error, %", lambda evaluation: evaluation.reconstruction_error),
    Column("train error, %", lambda evaluation: evaluation.reconstruction_errors["train"].overall),
    EXACT_STRINGS,
    VALID_STRINGS,
    Column("PCA of the same rank, %", of_pca),
    Column("error of samples, %", of_generation()),
    Column("FID", of_draws(lambda metrics: metrics.fid), 3),
    Column("KID", of_draws(lambda metrics: metrics.kid), 4),
    Column("precision", of_draws(lambda metrics: metrics.precision), 3),
    Column("recall", of_draws(lambda metrics: metrics.recall), 3),
    Column("FID of interpolations", of_interpolations(lambda metrics: metrics.fid), 3),
    Column(
        "FID of reconstructions", lambda evaluation: evaluation.reconstructions and evaluation.reconstructions.fid, 3
    ),
    Column("clustering accuracy, %", of_model("clustering_accuracy")),
    Column("of k-means, %", of_model("clustering_accuracy_of_k_means")),
    Column("active units", lambda evaluation: evaluation.latent.active_units, 1),
    Column("effective rank", lambda evaluation: evaluation.latent.effective_rank, 1),
    Column("numerical rank", lambda evaluation: evaluation.latent.numerical_rank, 1),
)


def compare(paths: Sequence[str | Path], out: str | Path) -> ResultsTable:
    """Write `table.md`, `table.json`, `report.html` and pictures of evaluated runs into the folder `out`, which may
    be in a bucket.

    Runs that differ in their seeds alone make one row, of mean and deviation. The first columns are the settings that
    differ between the rows, from the configurations of the runs.

    Raises:
        InputError: a run is named twice, is not evaluated, or they cannot be compared: other data, protocol or
            features.

    Example:
        >>> print(compare(["runs/a", "runs/b"], "runs/comparison").to_markdown())
    """
    folders = [RunFolder(Path(path)) for path in paths]
    _require_different(folders)
    evaluations = [read_evaluation(folder) for folder in folders]
    require_comparable(folders, evaluations)
    groups = _by_settings(folders)
    configs = [config for config, _ in groups]
    indices = dict(zip(names_of_configs(configs), [numbers for _, numbers in groups], strict=True))
    settings = dict(zip(indices, differing_settings(configs), strict=True))
    rows = [
        collect_row(name, [evaluations[i] for i in group], COLUMNS, settings=settings[name])
        for name, group in indices.items()
    ]
    columns = [column for column in COLUMNS if any(row.values[column.name] for row in rows)]
    title = f"Runs on {folders[0].load_config().recipe}"
    table = ResultsTable(title, columns, rows, notes_on_protocol(evaluations[0]))
    shown = {name: load_run(folders[first].root) for name, (first, *_) in indices.items()}
    write_comparison(local_folder(out), table, shown)
    return table


def write_comparison(
    out: Path, table: ResultsTable, runs: dict[str, Run], figures: Sequence[PictureSection] = ()
) -> None:
    """The table as three files, and pictures of one run for each row; the pictures first.

    `figures` are pictures of the table itself, which the page shows below it.
    """
    out.mkdir(parents=True, exist_ok=True)
    pictures = draw_side_by_side(runs, out)
    write_json(out / "table.json", table.to_json())
    write_text(out / "table.md", table.to_markdown())
    write_page(
        out / "report.html",
        title=table.title,
        subtitle=f"{len(table.rows)} rows; cells are mean and deviation over the runs of a row",
        facts={},
        sections=[table.to_section(), *figures, *pictures],
    )
    publish(out)


def draw_side_by_side(runs: dict[str, Run], out: Path) -> list[PictureSection] | list[TableSection]:
    """Reconstructions of the same samples, a path between the same two, and samples, a row for each run.

    Strings are shown as text, in tables.
    """
    examples = next(iter(runs.values())).examples
    shown = examples[:SHOWN]
    i, j = distant_pairs(examples.reshape(len(examples), -1), 1)[0]
    paths = {}
    for name, run in runs.items():
        start, end = run.coefficients(examples[[i, j]])
        paths[name] = run.decode(interpolate(start, end, SHOWN))
    rows = {
        "reconstructions": {"input": shown, **{name: run.reconstruct(shown) for name, run in runs.items()}},
        "interpolations": paths,
        "samples": {name: run.sample(SHOWN) for name, run in runs.items()},
    }
    captions = {
        "reconstructions": "The same test samples, and their reconstructions by each model.",
        "interpolations": "The straight path between the coefficients of the same two test samples.",
        "samples": "Decoded draws from the Gaussian mixture on each model's training coefficients.",
    }
    first = next(iter(runs.values()))
    if first.codec is not None:
        return [
            text_rows(name.capitalize(), captions[name], {of: first.strings(line) for of, line in samples.items()})
            for name, samples in rows.items()
        ]
    for name, samples in rows.items():
        plots.draw_rows(samples, out / f"{name}.png")
    return [PictureSection(name.capitalize(), out / f"{name}.png", caption) for name, caption in captions.items()]


def read_evaluation(folder: RunFolder) -> Evaluation:
    """What `fastrrae evaluate` found."""
    folder.require_finished()
    if not folder.evaluation.is_file():
        raise InputError(f"the run in {folder.root} has not been evaluated: `fastrrae evaluate {folder.root}`")
    folder.require_evaluation_intact()
    return load_evaluation(folder.evaluation)


def require_comparable(folders: Sequence[RunFolder], evaluations: Sequence[Evaluation]) -> None:
    """Raise unless all have the data, protocol and features of the first."""
    facts = [json.loads(folder.data.read_text(encoding="utf-8")) for folder in folders]
    first = evaluations[0]
    for folder, fact, evaluation in zip(folders, facts, evaluations, strict=True):
        differs = {
            "data": fact != facts[0],
            "protocol": without_densities(evaluation.protocol) != without_densities(first.protocol),
            "features": evaluation.features_sha256 != first.features_sha256,
        }
        for what, different in differs.items():
            if different:
                raise InputError(
                    f"results of {folders[0].root} and {folder.root} cannot be compared: their {what} differ. Evaluate "
                    f"both with the same `protocol` and `features`, on the same data"
                )


def _require_different(folders: Sequence[RunFolder]) -> None:
    """A run that is named twice would be counted twice in mean and deviation."""
    seen: dict[Path, Path] = {}
    for folder in folders:
        place = folder.root.resolve()
        if place in seen:
            raise InputError(f"`runs` must be different runs; got {seen[place]} and {folder.root}, which are the same")
        seen[place] = folder.root


def _by_settings(folders: Sequence[RunFolder]) -> list[tuple[RunConfig, list[int]]]:
    """Configurations without seeds, places and devices, and the indices of the runs that have each."""
    groups: list[tuple[RunConfig, list[int]]] = []
    for number, folder in enumerate(folders):
        config = without_seed(folder.load_config())
        same = next((indices for other, indices in groups if other == config), None)
        if same is None:
            groups.append((config, [number]))
        else:
            same.append(number)
    return groups
