"""The folder that a run leaves: which file is what, and what may happen to a folder that exists."""

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .config import RunConfig, load_config, save_config
from .data import Dataset, Normalisation
from .errors import InputError


@dataclass(frozen=True)
class RunFolder:
    """Paths inside one run folder."""

    root: Path

    @property
    def config(self) -> Path:
        """The whole resolved configuration."""
        return self.root / "config.json"

    @property
    def data(self) -> Path:
        """Sample shape and normalisation: what a model needs to know of its data."""
        return self.root / "data.json"

    @property
    def metrics(self) -> Path:
        """One JSON object a logged step."""
        return self.root / "metrics.jsonl"

    @property
    def checkpoints(self) -> Path:
        """Orbax checkpoints."""
        return self.root / "checkpoints"

    @property
    def latent(self) -> Path:
        """Coefficients of the training set, singular values of its latent matrix, and some test samples."""
        return self.root / "latent.npz"

    @property
    def summary(self) -> Path:
        """Steps, time, versions, digest; exists once the run is finished."""
        return self.root / "summary.json"

    @property
    def unfinished(self) -> Path:
        """A note that exists until the run is finished."""
        return self.root / "UNFINISHED"

    @property
    def evaluation(self) -> Path:
        """Results of the evaluation."""
        return self.root / "evaluation.json"

    @property
    def figures(self) -> Path:
        """Pictures."""
        return self.root / "figures"

    @property
    def report(self) -> Path:
        """Everything worth looking at, in one page."""
        return self.root / "report.html"

    def create(self, config: RunConfig, dataset: Dataset, *, overwrite: bool) -> None:
        """Start a new run here. An existing folder is replaced only with `overwrite`, and only if it is a run's."""
        self.refuse_existing(overwrite=overwrite)
        try:
            if self.root.exists():
                shutil.rmtree(self.root)
            self.figures.mkdir(parents=True)
        except OSError as error:
            raise InputError(
                f"cannot write the run folder {self.root}: {error.strerror}. Choose another --out"
            ) from None
        self.unfinished.write_text("This run has not finished. `fastrrae train ... --resume` continues it.\n")
        save_config(config, self.config)
        write_json(self.data, _facts(dataset))

    def require_same_data(self, dataset: Dataset) -> None:
        """Raise unless the run was started on a data set of the same shape, size and values."""
        stored = json.loads(self.data.read_text())
        facts = _facts(dataset)
        changed = [name for name in facts if stored.get(name, facts[name]) != facts[name]]
        differences = [f"{name}: {stored.get(name)} then, {facts[name]} now" for name in changed]
        if differences:
            raise InputError(f"the data has changed since the run in {self.root} was started: {'; '.join(differences)}")

    def refuse_existing(self, *, overwrite: bool) -> None:
        """Raise unless a new run may be started here; changes nothing."""
        if not self.root.exists() or (self.root.is_dir() and not any(self.root.iterdir())):
            return
        if not overwrite:
            state = "a finished run" if self.summary.exists() else "something, perhaps an unfinished run"
            raise InputError(
                f"{self.root} already holds {state}: give --overwrite to replace it, --resume to continue it, "
                f"or another --out"
            )
        if not self.config.is_file():
            raise InputError(
                f"{self.root} is not a run folder (it has no config.json), so --overwrite will not delete it"
            )

    def load_config(self) -> RunConfig:
        """The configuration of the run."""
        return load_config(self.config)

    def load_data_facts(self) -> tuple[tuple[int, ...], Normalisation]:
        """Sample shape and normalisation."""
        facts = json.loads(self.data.read_text())
        return tuple(facts["sample_shape"]), Normalisation(**facts["normalisation"])

    def require_finished(self) -> None:
        """Raise unless the run is finished."""
        if not self.config.is_file():
            raise InputError(f"{self.root} is not a run folder: it has no config.json")
        if not self.summary.is_file():
            raise InputError(f"the run in {self.root} has not finished: continue it with `fastrrae train ... --resume`")


def _facts(dataset: Dataset) -> dict[str, Any]:
    return {
        "sample_shape": list(dataset.sample_shape),
        "normalisation": asdict(dataset.normalisation),
        "train_count": len(dataset.train),
        "fingerprint": dataset.fingerprint,
        "test_counts": {name: len(samples) for name, samples in dataset.tests.items()},
    }


def write_json(path: Path, values: Any) -> None:
    """Write `values` under `path`, which never holds half of them."""
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(values, indent=2, default=_plain) + "\n")
    partial.replace(path)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"cannot write {type(value).__name__} as JSON")
