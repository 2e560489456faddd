"""`fastrrae encode`, `decode`, `traverse` and `interpolate`: from samples to coefficients, and back."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from ..buckets import InBucket
from ..data import Samples
from ..data.array_files import read_samples
from ..data.molecules import read_smiles
from ..data.staging import local_data
from ..data.strings import encode_lines, read_lines
from ..errors import InputError
from ..evaluation.coefficient_files import read_coefficients, save_coefficients
from ..evaluation.interpolated_samples import interpolate_pairs
from ..evaluation.run_plots import PATHS, SHOWN
from ..evaluation.sample_files import require_samples_fit, save_sample_rows, save_samples
from ..interpolation import distant_pairs
from ..latent_summary import coefficients_of
from ..run import Run, load_run
from .bucket_options import print_path
from .finished_runs import DataOption, RunArgument, load_data_of, output_path, samples_path

TRAVERSED = 10  # coefficients in a picture, where none are named


@dataclass(frozen=True)
class Encode:
    """Write the coefficients of samples: of the run's own test set, or of a file."""

    run_folder: RunArgument
    """The run folder."""
    data: Annotated[str | None, tyro.conf.arg(metavar="FILE"), InBucket.OPENED] = None
    """Samples to encode: all those of a .npy, .npz or .csv file, the strings of a .txt file (molecules: also of a
    .smi or .csv file), or a folder of the kind that the run was trained on. By default the run's own data."""
    split: str | None = None
    """Which samples of the run's data, or of a folder: train, test, or another of its splits; by default test."""
    out: Annotated[str, tyro.conf.arg(metavar="FILE"), InBucket.WRITTEN] = "coefficients.csv"
    """A .csv table with a column for each coefficient, or a .npy array (count, rank)."""

    def run(self) -> None:
        """Encode, write the coefficients, and say what was encoded."""
        out = output_path(self.out, ".npy", ".csv")
        run = load_run(self.run_folder)
        samples, described = self._samples(run)
        save_coefficients(out, coefficients_of(run.model, samples, run.normalisation))
        print(f"encoded {len(samples)} {described}, {run.rank} coefficients each")
        print_path(out)

    def _samples(self, run: Run) -> tuple[Samples, str]:
        file = Path(local_data(self.data) or "")
        if self.data is None or file.is_dir():
            return self._split_of_data_set(run)
        if self.split is not None:
            raise InputError("`split` is of the run's data or of a folder; all samples of a file are encoded")
        if run.codec is not None:
            lines = (read_smiles if run.config.data.source == "molecules" else read_lines)(file)
            return encode_lines(run.codec, lines, self.data), f"strings of {self.data}"
        return read_samples(file, run.sample_shape, run.config.data), f"samples of {self.data}"

    def _split_of_data_set(self, run: Run) -> tuple[Samples, str]:
        config = run.config.data
        if self.data is None and config.source == "own":
            raise InputError(f"give `data`: that of the run in {run.folder.root} was handed over in Python")
        if self.data is not None and config.source not in ("mnist", "records"):
            raise InputError(f"`data` must be a .npy, .npz or .csv file for this run; {self.data} is a folder")
        dataset = load_data_of(run.config, self.data)
        if self.data is None:
            run.folder.require_same_data(dataset)
        elif dataset.sample_shape != run.sample_shape:
            raise InputError(f"`data` must have samples of shape {run.sample_shape}; got {dataset.sample_shape}")
        splits = {"train": dataset.train, **dataset.tests}
        name = self.split or next(iter(dataset.tests))
        if name not in splits:
            raise InputError(f"`split` must be one of {', '.join(splits)}; got {name!r}")
        return splits[name], f"samples of the split {name} of {self.data or 'the data of the run'}"


@dataclass(frozen=True)
class Decode:
    """Decode coefficients from a file, such as one of `fastrrae encode`, into samples."""

    run_folder: RunArgument
    """The run folder."""
    coefficients: Annotated[str, tyro.conf.arg(metavar="FILE"), InBucket.READ]
    """A .npy array (count, rank), or a .csv table with a header and a column for each coefficient."""
    out: Annotated[str, tyro.conf.arg(metavar="FILE"), InBucket.WRITTEN] = "decoded.png"
    """A .png for a picture of at most 1000 images or 250 curves, a .npy for the values of any number of samples, a
    .txt for strings."""

    def run(self) -> None:
        """Decode, and write the samples."""
        out = samples_path(self.out)
        run = load_run(self.run_folder)
        coefficients = read_coefficients(Path(self.coefficients), run.rank)
        require_samples_fit(run, out, len(coefficients))
        save_samples(run, out, coefficients)
        print_path(out)


@dataclass(frozen=True)
class Traverse:
    """Decode walks along single coefficients, the others kept: what each of them stands for."""

    run_folder: RunArgument
    """The run folder."""
    coefficient: tuple[int, ...] = ()
    """Which ones, from 0; by default the first 10."""
    steps: int = 9
    """Samples along each, evenly spaced between the 2.5 % and 97.5 % quantiles of the training set."""
    sample: int | None = None
    """Keep the other coefficients of this test sample, by its index among those that the run keeps (the first 32); by
    default those of the mean of the training set."""
    out: Annotated[str, tyro.conf.arg(metavar="FILE"), InBucket.WRITTEN] = "traversal.png"
    """A .png for a picture with a row for each coefficient, a .npy for values (coefficients, steps, *sample_shape), a
    .txt for strings."""

    def run(self) -> None:
        """Decode, and write the samples."""
        out = samples_path(self.out)
        run = load_run(self.run_folder)
        chosen = self.coefficient or tuple(range(min(run.rank, TRAVERSED)))
        if self.sample is not None and not 0 <= self.sample < len(run.examples):
            raise InputError(
                f"`sample` must be a test sample that the run keeps, from 0 to {len(run.examples) - 1}; got "
                f"{self.sample}"
            )
        require_samples_fit(run, out, len(chosen), self.steps)
        save_sample_rows(run, out, {f"{number}": run.traverse(number, self.steps, self.sample) for number in chosen})
        print_path(out)


@dataclass(frozen=True)
class Interpolate:
    """Decode paths through the space of coefficients between pairs of test samples of a finished run."""

    run_folder: RunArgument
    """The run folder."""
    pairs: tuple[tuple[int, int], ...] = ()
    """Indices of test samples from 0, two for each path: --pairs 3 17 0 5 goes from 3 to 17, and from 0 to 5. By
    default pairs that are far from each other, of the test samples that the run keeps (the first 32)."""
    paths: int = PATHS
    """How many pairs, where none are named."""
    steps: int = SHOWN
    """Points on each path, ends included."""
    method: Literal["linear", "spherical"] = "linear"
    """linear: straight. spherical: along great circles, which keeps the length of the coefficients."""
    data: DataOption = None
    """Where the data is now, if it has moved; read only for indices beyond the test samples that the run keeps."""
    out: Annotated[str, tyro.conf.arg(metavar="FILE"), InBucket.WRITTEN] = "interpolations.png"
    """A .png for a picture with a row for each path, a .npy for values (paths, steps, *sample_shape), a .txt for
    strings."""

    def run(self) -> None:
        """Decode, and write the samples."""
        if self.paths < 1 or self.steps < 2:
            raise InputError(f"--paths must be at least 1 and --steps at least 2; got {self.paths} and {self.steps}")
        out = samples_path(self.out)
        run = load_run(self.run_folder)
        require_samples_fit(run, out, len(self.pairs) or self.paths, self.steps)
        pairs = self.pairs or distant_pairs(run.coefficients(run.examples), self.paths)
        save_sample_rows(run, out, interpolate_pairs(run, pairs, self.steps, self.method, self._test_samples(run)))
        print_path(out)

    def _test_samples(self, run: Run) -> Samples | None:
        """The test set, where a named sample is not one of those that the run keeps."""
        if max((index for pair in self.pairs for index in pair), default=0) < len(run.examples):
            return None
        if run.config.data.source == "own":
            raise InputError(
                f"`pairs` must be below {len(run.examples)}, the test samples that the run keeps: its data was handed "
                f"over in Python"
            )
        dataset = load_data_of(run.config, self.data)
        run.folder.require_same_data(dataset)
        return dataset.test
