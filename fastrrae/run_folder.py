"""The folder that a run leaves: which file is what, and what may happen to a folder that exists."""

import json
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .atomic_files import write_json, write_text
from .buckets import FolderCopy, local_folder, publish
from .checksums import first_changed, write_checksums
from .data import Dataset, Normalisation
from .errors import InputError
from .folder_lock import LOCK_FILES, exclusive
from .run_config import RunConfig, load_config, save_config

_UNFINISHED = "This run has not finished. `fastrrae train ... --resume`, or `train(..., resume=True)`, continues it.\n"


@dataclass(frozen=True)
class RunFolder:
    """Paths inside one run folder."""

    root: Path
    """The folder; of a run in a bucket, that of its local copy. A text or an address will do."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", local_folder(self.root))

    @property
    def copy(self) -> FolderCopy | None:
        """What connects the local copy of a run in a bucket with the bucket; None for a run on a disk."""
        return FolderCopy.at(self.root)

    @property
    def place(self) -> str:
        """Where the run is, for records: an absolute path or an address."""
        return str(self.root.resolve()) if self.copy is None else self.copy.objects.address

    def exclusive(self) -> AbstractContextManager[None]:
        """Hold the lock of the run: see `folder_lock.exclusive`."""
        return exclusive(self.root)

    def publish(self) -> None:
        """Send what has changed to the bucket, if the run is in one."""
        publish(self.root)

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
        """One JSON object per logged step."""
        return self.root / "metrics.jsonl"

    @property
    def checkpoints(self) -> Path:
        """Orbax checkpoints."""
        return self.root / "checkpoints"

    @property
    def latent(self) -> Path:
        """Coefficients, labels and parameters of the training set, its singular values, and some test samples."""
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
    def checksums(self) -> Path:
        """SHA-256 of the files of a finished run, for `sha256sum -c`; earlier versions wrote none."""
        return self.root / "SHA256SUMS"

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
            self._clear()
            # First the note: a folder with nothing else was left by a start that failed, and may be started again.
            self._note_unfinished()
            self.figures.mkdir(exist_ok=True)
            write_json(self.data, _describe(dataset))
            save_config(config, self.config)
            self.publish()
        except OSError as error:
            raise InputError(
                f"cannot write the run folder {self.root}: {error.strerror}. Choose another folder"
            ) from None

    def reopen(self) -> None:
        """Mark the run as unfinished, to continue it."""
        self._note_unfinished()
        self.summary.unlink(missing_ok=True)
        self.checksums.unlink(missing_ok=True)
        self.publish()

    def _note_unfinished(self) -> None:
        write_text(self.unfinished, _UNFINISHED)

    def _clear(self) -> None:
        """Make the folder, or delete what is in it, except the lock."""
        if self.copy is not None:
            self.copy.clear()
        self.root.mkdir(parents=True, exist_ok=True)
        for path in self.root.iterdir():
            if path.name in LOCK_FILES:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()

    @property
    def never_started(self) -> bool:
        """Whether there is nothing to lose here: no folder, an empty one, or what a start that failed has left."""
        if not self.root.exists():
            return True
        if not self.root.is_dir():
            return False
        names = {path.name for path in self.root.iterdir()} - LOCK_FILES
        leftovers = {self.unfinished.name, self.figures.name, self.data.name}
        partial = {name for name in names if name.endswith(".partial")}
        return not names or (self.unfinished.exists() and names - partial <= leftovers)

    def refuse_existing(self, *, overwrite: bool) -> None:
        """Raise unless a new run may be started here; changes nothing."""
        if self.never_started:
            return
        if not overwrite:
            state = "a finished run" if self.summary.exists() else "something, perhaps an unfinished run"
            raise InputError(
                f"{self.root} already holds {state}: give `overwrite` to replace it, `resume` to continue it, or "
                f"choose another folder"
            )
        if not self.config.is_file():
            raise InputError(
                f"{self.root} is not a run folder (it has no config.json), so `overwrite` will not delete it"
            )

    def differences(self, dataset: Dataset) -> list[str]:
        """How `dataset` differs from the one that the run was started on; empty where it is the same."""
        stored, found = self.load_data_description(), _describe(dataset)
        # Earlier versions knew the contents of prepared folders only.
        known = [name for name in found if name in stored and not (name == "fingerprint" and not stored[name])]
        return [
            f"{name}: {_shortened(stored[name])} then, {_shortened(found[name])} now"
            for name in known
            if stored[name] != found[name]
        ]

    def require_same_data(self, dataset: Dataset) -> None:
        """Raise unless the run was started on a data set of the same shape, size and values."""
        differences = self.differences(dataset)
        if differences:
            raise InputError(
                f"the data is not that of the run in {self.root}, or has changed since it was started: "
                f"{'; '.join(differences)}"
            )

    def load_config(self) -> RunConfig:
        """The configuration of the run."""
        return load_config(self.config)

    def load_data_facts(self) -> tuple[tuple[int, ...], Normalisation]:
        """Sample shape and normalisation."""
        facts = self.load_data_description()
        try:
            return tuple(facts["sample_shape"]), Normalisation.from_json(facts["normalisation"])
        except (KeyError, TypeError) as error:
            raise _damaged(self.data, f"it lacks what it should hold ({error})") from None

    def load_data_description(self) -> dict[str, Any]:
        """Shape, counts, normalisation and fingerprint of the data; runs of earlier versions lack some."""
        return _read_json(self.data)

    def load_summary(self) -> dict[str, Any]:
        """Steps, time, versions and digest of a finished run."""
        return _read_json(self.summary)

    def load_latent(self) -> dict[str, np.ndarray]:
        """What `latent_summary.summarise_latent` kept."""
        try:
            with np.load(self.latent, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            missing = {"coefficients", "singular_values", "examples"} - set(arrays)
        except FileNotFoundError:
            raise _damaged(self.latent, "it is missing") from None
        except (OSError, ValueError, EOFError, zipfile.BadZipFile, NotImplementedError) as error:
            raise _damaged(self.latent, str(error)) from None
        if missing:
            raise _damaged(self.latent, f"it lacks {', '.join(sorted(missing))}")
        return arrays

    def require_finished(self) -> None:
        """Raise unless the run is finished."""
        if not self.config.is_file():
            raise InputError(f"{self.root} is not a run folder: it has no config.json")
        if not self.summary.is_file():
            raise InputError(f"the run in {self.root} has not finished: continue it with `resume`")
        self._require_intact([path.name for path in self._kept if path != self.evaluation])

    def record_checksums(self) -> None:
        """Write down what the files of a finished run hold, so that one that is damaged later is noticed."""
        write_checksums(self.checksums, [path.name for path in self._kept])

    def require_evaluation_intact(self) -> None:
        """Raise unless `evaluation.json` is what was written."""
        self._require_intact([self.evaluation.name])

    @property
    def _kept(self) -> tuple[Path, ...]:
        """The files that figures depend on; checkpoints have fingerprints of their own."""
        return self.config, self.data, self.metrics, self.latent, self.summary, self.evaluation

    def _require_intact(self, names: Sequence[str]) -> None:
        if self.checksums.is_file() and (changed := first_changed(self.checksums, names)):
            raise _damaged(self.root / changed, "it is not what the run wrote, by SHA256SUMS")


def _describe(dataset: Dataset) -> dict[str, Any]:
    return {
        "sample_shape": list(dataset.sample_shape),
        "normalisation": dataset.normalisation.as_json(),
        "train_count": len(dataset.train),
        "fingerprint": dataset.fingerprint,
        "test_counts": {name: len(samples) for name, samples in dataset.tests.items()},
    }


def _shortened(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _read_json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise _damaged(path, "it is missing") from None
    except (OSError, ValueError) as error:
        raise _damaged(path, str(error)) from None
    if not isinstance(values, Mapping):
        raise _damaged(path, "it does not hold an object")
    return dict(values)


def _damaged(path: Path, reason: str) -> InputError:
    if path.name == "evaluation.json":
        return InputError(f"{path} is damaged ({reason}): run `fastrrae evaluate {path.parent}` again")
    return InputError(
        f"{path} is damaged ({reason}). Delete {path.parent / 'summary.json'} and continue the run with `resume`, "
        f"which writes the files of a finished run again from its last checkpoint; if config.json, data.json or "
        f"metrics.jsonl is damaged, train the run again"
    )
