"""The folder of a sweep: `sweep.json`, which says what its runs are, and a run folder for each."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..atomic_files import write_json
from ..buckets import inside, publish, with_addresses
from ..errors import InputError
from ..run_config import RunConfig, decode_config, encode_config, without_place
from ..run_folder import RunFolder
from .grid import SEED, SweepRun, runs_of_grid, values_of

FORMAT = 1


@dataclass
class SweepFolder:
    """What is in the folder `root`: the base of all runs, the fields they differ in, and their configurations."""

    root: Path
    base: RunConfig
    fields: list[str] = field(default_factory=list)
    runs: dict[str, RunConfig] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)  # of runs that ended with an error: what it was

    @classmethod
    def open(cls, root: Path, base: RunConfig) -> "SweepFolder":
        """What is there, or a new one."""
        path = root / "sweep.json"
        return cls.load(root) if path.is_file() else cls(root, base)

    @classmethod
    def load(cls, root: Path) -> "SweepFolder":
        """Read what `save` wrote.

        Raises:
            InputError: there is no sweep, or its file is damaged.
        """
        path = root / "sweep.json"
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            if stored["format"] != FORMAT:
                raise InputError(f"its format is {stored['format']!r}, and this version reads {FORMAT}")
            runs = {name: decode_config(values) for name, values in stored["runs"].items()}
            base, fields, failures = decode_config(stored["base"]), stored["fields"], stored["failures"]
            return cls(root, base, [str(name) for name in fields], runs, dict(failures))
        except FileNotFoundError:
            raise InputError(f"{root} is not the folder of a sweep: it has no sweep.json") from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{path} is damaged ({error}): start the sweep again in another folder") from None

    def save(self) -> None:
        """Write `sweep.json`, and send it where the sweep is in a bucket."""
        values: dict[str, Any] = {"format": FORMAT, "base": encode_config(self.base), "fields": self.fields}
        values["runs"] = {name: encode_config(config) for name, config in self.runs.items()}
        failures = {name: with_addresses(reason) for name, reason in self.failures.items()}
        write_json(self.root / "sweep.json", {**values, "failures": failures})
        publish(self.root)

    def run_folder(self, name: str) -> RunFolder:
        """Of one run."""
        return RunFolder(Path(inside(self.root, name)))

    def add(self, base: RunConfig, values: Mapping[str, Sequence[Any]], seeds: Sequence[int]) -> list[SweepRun]:
        """The runs of a grid; those that are there already keep their names.

        Raises:
            InputError: the runs that are there have another base, or a folder is in the way.
        """
        fields = [*self.fields, *(path for path in values if path not in self.fields)]
        self._require_same_base(base, fields)
        known = {_key(config): name for name, config in self.runs.items()}
        asked = []
        for run in runs_of_grid(base, values, seeds, fields):
            name = known.get(_key(run.config), run.name)
            if name not in self.runs and not self.run_folder(name).never_started:
                raise InputError(f"{self.root / name} is in the way: it is not a run of this sweep. Give another `out`")
            asked.append(SweepRun(name, run.config))
        self.fields = fields
        self.runs |= {run.name: run.config for run in asked}
        return asked

    def _require_same_base(self, base: RunConfig, fields: Sequence[str]) -> None:
        stored, wanted = values_of(self.base), values_of(base)
        names = [name for name in {**stored, **wanted} if name not in (*fields, SEED)]
        if {"training.steps", "training.epochs"} & set(fields):
            names = [name for name in names if name not in ("training.steps", "training.epochs")]
        differences = [
            f"{name}: {stored.get(name)} there, {wanted.get(name)} asked"
            for name in names
            if stored.get(name) != wanted.get(name)
        ]
        if differences:
            raise InputError(
                f"the sweep in {self.root} was made with another configuration: {'; '.join(differences)}. Give another "
                f"`out`"
            )


def _key(config: RunConfig) -> str:
    """Equal for configurations with the same result."""
    return json.dumps(encode_config(without_place(config)), sort_keys=True)
