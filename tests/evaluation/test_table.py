"""Tables: cells, Markdown, JSON."""

import pytest

from fastrrae.evaluation.table import ABSENT, Column, Row, Table, collect

COLUMNS = (Column("error, %", ("error",)), Column("FID", ("samples", "*", "fid"), 1))


def test_figures_are_found_by_their_path():
    evaluation = {"error": 3, "samples": {"mixture": {"fid": 7.5}, "normal": {"fid": 9}}}
    assert [column.of(evaluation) for column in COLUMNS] == [3.0, 7.5]
    assert [column.of({"error": 1.0, "samples": {}}) for column in COLUMNS] == [1.0, None]
    assert COLUMNS[1].of({"samples": 3}) is None


def test_cells_are_mean_and_deviation_over_runs():
    rows = [
        collect("a", [{"error": value, "samples": {"x": {"fid": 1}}} for value in (1.0, 2.0, 6.0)], COLUMNS),
        Row("b", {"error, %": [4.0]}, {"error, %": "5 ± 1"}),
    ]
    table = Table("Title", COLUMNS, rows, ["a note"])
    assert table.to_markdown() == (
        "# Title\n\n|  | runs | error, % | published | FID |\n| --- | ---: | ---: | ---: | ---: |\n"
        f"| a | 3 | 3.00 ± 2.65 | {ABSENT} | 1.0 ± 0.0 |\n| b | 1 | 4.00 | 5 ± 1 | {ABSENT} |\n\n- a note\n"
    )
    figures = table.to_json()["rows"][0]["figures"]["error, %"]
    assert figures["mean"] == pytest.approx(3)
    assert figures["std"] == pytest.approx(7**0.5)
    assert figures["runs"] == [1.0, 2.0, 6.0]
    assert "<td class=number>5 ± 1</td>" in table.to_html()
