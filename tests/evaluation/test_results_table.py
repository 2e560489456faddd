"""Tables: cells, Markdown, JSON."""

import math

import pytest

from fastrrae.evaluation.html_page import render_page
from fastrrae.evaluation.results import Evaluation, GenerationError, LatentMetrics, ReconstructionError, SampleMetrics
from fastrrae.evaluation.results_table import (
    ABSENT,
    Column,
    ResultsRow,
    ResultsTable,
    collect_row,
    of_draws,
    of_generation,
    of_interpolations,
    of_model,
)

COLUMNS = (
    Column("error, %", lambda evaluation: evaluation.reconstruction_error),
    Column("FID", of_draws(lambda metrics: metrics.fid), 1),
)


def evaluation(error, **fids):
    return Evaluation(
        error,
        {"train": ReconstructionError(error, error, 0.0)},
        LatentMetrics(2, 2, [1.0, 1.0], 0.0, 2.0, 2.0),
        samples={name: SampleMetrics(10, fid, 0.0, 0.0) for name, fid in fids.items()},
    )


def test_metrics_are_found_by_their_column():
    found = evaluation(3, mixture=7.5, normal=9)
    assert [column.of(found) for column in COLUMNS] == [3.0, 7.5]
    assert [column.of(evaluation(1.0)) for column in COLUMNS] == [1.0, None]
    assert of_draws(lambda metrics: metrics.fid, "normal")(found) == 9
    assert of_draws(lambda metrics: metrics.precision)(found) is None
    for absent in (of_draws(lambda m: m.fid, "prior"), of_generation(), of_interpolations(lambda m: m.fid)):
        assert absent(found) is None
    assert of_model("clustering_accuracy")(found) is None
    full = Evaluation(
        1.0,
        found.reconstruction_errors,
        found.latent,
        {"clustering_accuracy": 85.5},
        {"mixture": GenerationError(4.0, 1.0, 10)},
        interpolations=SampleMetrics(10, 2.0, 0.0, 0.0),
    )
    assert of_model("clustering_accuracy")(full) == 85.5
    assert of_generation()(full) == of_generation("mixture")(full) == 4
    assert of_interpolations(lambda metrics: metrics.fid)(full) == 2


def test_numbers_that_are_not_finite_are_left_out():
    row = collect_row("a", [evaluation(math.nan, mixture=1.0), evaluation(2.0, mixture=math.inf)], COLUMNS)
    assert row.values == {"error, %": [2.0], "FID": [1.0]}


def test_cells_are_mean_and_deviation_over_runs():
    rows = [
        collect_row("a", [evaluation(value, x=1) for value in (1.0, 2.0, 6.0)], COLUMNS),
        ResultsRow("b", {"error, %": [4.0]}, {"error, %": "5 ± 1"}),
    ]
    table = ResultsTable("Title", COLUMNS, rows, ["a note"])
    assert table.to_markdown() == (
        "# Title\n\n|  | runs | error, % | published | FID |\n| --- | ---: | ---: | ---: | ---: |\n"
        f"| a | 3 | 3.00 ± 2.65 | {ABSENT} | 1.0 ± 0.0 |\n| b | 1 | 4.00 | 5 ± 1 | {ABSENT} |\n\n- a note\n"
    )
    figures = table.to_json()["rows"][0]["figures"]["error, %"]
    assert figures["mean"] == pytest.approx(3)
    assert figures["std"] == pytest.approx(7**0.5)
    assert figures["runs"] == [1.0, 2.0, 6.0]
    page = render_page(title="Title", subtitle="", facts={}, sections=[table.to_section()])
    assert "<td class=number>5 ± 1</td>" in page
    assert "<th class=number>error, %</th>" in page
