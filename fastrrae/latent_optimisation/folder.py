"""The folder of a search: its settings, by which it is recognised, its log and its results."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..atomic_files import write_json, write_text
from ..errors import InputError
from ..evaluation.plots import draw_grid
from ..run import Run
from .results import SearchResult


@dataclass(frozen=True)
class SearchFolder:
    """Paths inside the folder of one search."""

    root: Path

    @property
    def settings(self) -> Path:
        """Options, objective and run."""
        return self.root / "settings.json"

    @property
    def evaluations(self) -> Path:
        """One JSON object an evaluation."""
        return self.root / "evaluations.jsonl"

    @property
    def progress(self) -> Path:
        """The picture of the best score against the number of evaluations."""
        return self.root / "progress.png"

    def open(self, run: Run, objective: str, options: Any, *, overwrite: bool) -> None:
        """Start a search here, or continue the one that is here.

        Raises:
            InputError: the one that is here differs in something else than its rounds.
        """
        wanted = {
            "run": run.folder.load_summary()["parameters_sha256"],
            "objective": objective,
            **dataclasses.asdict(options),
        }
        if overwrite or not self.settings.is_file():
            self.evaluations.unlink(missing_ok=True)
        elif differing := self._differences(wanted):
            raise InputError(
                f"{self.root} holds another search: {'; '.join(differing)}. Give `overwrite` to replace it, or `out` "
                f"for another folder"
            )
        write_json(self.settings, wanted)

    def save(self, result: SearchResult, run: Run) -> None:
        """Write the results, and the best objects as text or as a picture."""
        write_json(self.root / "result.json", result.to_json())
        if run.codec is not None:
            lines = "".join(f"{row.score:.6g}\t{row.text}\n" for row in result.best)
            write_text(self.root / "best.txt", lines)
        elif result.best:
            draw_grid(run.decode(np.stack([row.coefficients for row in result.best])), self.root / "best.png")

    def _differences(self, wanted: dict[str, Any]) -> list[str]:
        try:
            stored = json.loads(self.settings.read_text(encoding="utf-8"))
        except ValueError as error:
            raise InputError(f"{self.settings} is damaged ({error}): start again with `overwrite`") from None
        names = [name for name in wanted if name != "rounds" and stored.get(name) != wanted[name]]
        return [f"{name} {stored.get(name)} there, {wanted[name]} asked" for name in names]
