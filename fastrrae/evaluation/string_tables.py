"""What a report shows of a run on strings, where it shows pictures of other samples."""

from collections.abc import Mapping, Sequence

from ..interpolation import distant_pairs
from ..run import Run
from .html_page import TableSection
from .interpolated_samples import interpolate_pairs

RECONSTRUCTED, DRAWN, PATHS, STEPS = 12, 30, 5, 8


def string_tables(run: Run) -> list[TableSection]:
    """Reconstructions, draws, and paths between test strings that are far from each other; nothing of other runs."""
    if run.codec is None:
        return []
    shown = run.examples[:RECONSTRUCTED]
    pairs = distant_pairs(run.coefficients(run.examples), PATHS)
    paths = interpolate_pairs(run, pairs, STEPS)
    rows = zip(run.strings(shown), run.strings(run.reconstruct(shown)), strict=True)
    draws = run.strings(run.sample(DRAWN))
    return [
        TableSection("Reconstructions", "Test strings, and what they come back as.", ["input", "output"], list(rows)),
        TableSection(
            "Random strings",
            "Decoded draws from a Gaussian mixture fitted on the training coefficients.",
            ["", "", ""],
            [draws[start : start + 3] for start in range(0, DRAWN, 3)],
        ),
        text_rows(
            "Interpolations",
            "Straight lines between the coefficients of two test strings that are far from each other.",
            {name: run.strings(path) for name, path in paths.items()},
        ),
    ]


def text_rows(title: str, explanation: str, rows: Mapping[str, Sequence[str]]) -> TableSection:
    """A table with a named row of strings for each entry."""
    columns = max(map(len, rows.values()))
    return TableSection(title, explanation, [""] * (columns + 1), [[name, *line] for name, line in rows.items()])
