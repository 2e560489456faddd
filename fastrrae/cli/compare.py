"""`fastrrae compare`: several evaluated runs as one table."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.markdown import Markdown

from ..buckets import InBucket, as_address
from ..errors import InputError
from ..evaluation.compare import compare
from ..evaluation.results_table import ResultsTable


@dataclass(frozen=True)
class Compare:
    """Compare evaluated runs: a table with mean and deviation over seeds, and pictures of the same inputs."""

    runs: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RUN RUN ..."), InBucket.OPENED]
    """Run folders; runs that differ in their seeds alone make one row."""
    out: Annotated[str, InBucket.OPENED] = "comparison"
    """The folder to write: table.md, table.json, report.html and pictures."""

    def run(self) -> None:
        """Compare, and print the table."""
        if len(self.runs) < 2:
            raise InputError(f"compare takes at least two runs; got {len(self.runs)}")
        print_table(compare(self.runs, self.out), self.out)


def print_table(table: ResultsTable, out: str | Path) -> None:
    """The table, and where its report is."""
    Console().print(Markdown(table.to_markdown()))
    print(f"report: {as_address(out) or Path(out)}/report.html")
