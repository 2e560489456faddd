"""`fastrrae evaluate`, `sample` and `attributes`: what can be done with a run that is finished."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from ..buckets import InBucket, with_addresses
from ..compilation_cache import enable_compilation_cache
from ..config import ProtocolName
from ..data import Dataset, load_dataset
from ..densities import OneComponent
from ..errors import InputError
from ..evaluation.attribute_directions import draw_attributes
from ..evaluation.evaluate import choose_features, evaluate, measure
from ..evaluation.generated_samples import fit_density
from ..evaluation.protocol import PROTOCOLS, Protocol
from ..evaluation.results import Evaluation, StringMetrics, save_evaluation
from ..evaluation.sample_files import require_samples_fit, save_samples
from ..run import Run, load_run
from ..run_config import RunConfig
from ..run_folder import RunFolder
from .bucket_options import print_path

RunArgument = Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="RUN"), InBucket.OPENED]
DataOption = Annotated[str | None, InBucket.OPENED]


@dataclass(frozen=True)
class Evaluate:
    """Evaluate a finished run by a protocol; write evaluation.json, pictures and report.html."""

    run_folder: RunArgument
    """The run folder."""
    data: DataOption = None
    """Where the data is now, if it has moved."""
    protocol: ProtocolName | None = None
    """What is measured; by default what the run was started with. all-densities draws from
    a normalising flow too; vrrae and rae are the papers' protocols; brief draws no samples."""
    features: Annotated[str | None, tyro.conf.arg(metavar="FILE"), InBucket.READ] = None
    """Compare samples by the network in this .npz file: a classifier of `fastrrae train-features`, or weights of
    Inception-v3. By default a classifier of the data's own labels, if it has any, trained once."""
    step: int | None = None
    """Evaluate a kept checkpoint instead of the end of the run; the results are written to evaluation-STEP.json."""
    other_data: Annotated[str | None, tyro.conf.arg(metavar="FILE"), InBucket.OPENED] = None
    """Evaluate the run on other data: a file or folder of the same kind, with samples of the same shape. The
    results are written to `out`, and the run stays as it is."""
    out: Annotated[str | None, tyro.conf.arg(metavar="FILE"), InBucket.WRITTEN] = None
    """The .json file for the results on other data."""

    def run(self) -> None:
        """Evaluate, print the metrics, and say where the report is."""
        enable_compilation_cache()
        folder = RunFolder(Path(self.run_folder))
        if self.step is None:
            folder.require_finished()  # before any data is read
        config = folder.load_config()
        if (self.other_data is None) != (self.out is None) or (self.other_data and (self.data or self.step)):
            raise InputError("give --other-data together with --out, and without --data and --step")
        dataset = load_data_of(config, self.other_data or self.data)
        protocol = PROTOCOLS[self.protocol or config.evaluation.protocol]
        if self.out is not None:
            self._judge_on_other_data(load_run(folder.root), dataset, protocol)
            return
        folder.require_same_data(dataset)
        features = choose_features(self.features, dataset, config.recipe, protocol)
        if self.step is None:
            print_metrics(evaluate(load_run(folder.root), dataset, protocol=protocol, features=features))
            print(with_addresses(f"report: {folder.report}"))
        else:
            results = measure(load_run(folder.root, step=self.step, dataset=dataset), dataset, protocol, features)
            save_evaluation(folder.root / f"evaluation-{self.step}.json", results)
            folder.publish()
            print_metrics(results)

    def _judge_on_other_data(self, run: Run, dataset: Dataset, protocol: Protocol) -> None:
        assert self.out is not None
        out = output_path(self.out, ".json")
        if dataset.sample_shape != run.sample_shape:
            raise InputError(
                f"--other-data must have samples of shape {run.sample_shape}, as the run; got {dataset.sample_shape}"
            )
        results = measure(run, dataset, protocol, choose_features(self.features, dataset, out.stem, protocol))
        save_evaluation(out, results)
        print_metrics(results)
        print_path(out)


@dataclass(frozen=True)
class Sample:
    """Draw new samples from a finished run: decode coefficients distributed like those of its training set."""

    run_folder: RunArgument
    """The run folder."""
    count: int = 50
    """How many."""
    out: Annotated[str | None, tyro.conf.arg(metavar="FILE"), InBucket.WRITTEN] = None
    """A .png for a picture of at most 1000 images or 250 curves, a .npy for the values of any number of samples, a
    .txt for strings; samples.png by default, samples.txt for strings."""
    seed: int = 0
    """The same seed gives the same samples."""
    density: Literal["mixture", "gaussian", "prior", "second-stage", "flow"] = "mixture"
    """What coefficients are drawn from: a Gaussian mixture, one Gaussian, a second, small VAE or a normalising flow,
    fitted on those of the training set; or the prior that the model was trained towards, or with."""
    component: int | None = None
    """Draw from this component alone, counted from 0, of the mixture or of a prior that is one."""
    label: str | None = None
    """Draw samples of this class alone, by its name or number; the mixture or gaussian is fitted on it."""

    def run(self) -> None:
        """Draw, and write them."""
        if self.count < 1:
            raise InputError(f"--count must be at least 1; got {self.count}")
        if self.seed < 0:
            raise InputError(f"--seed must not be negative; got {self.seed}")
        given = None if self.out is None else samples_path(self.out)
        run = load_run(self.run_folder)
        out = given or Path("samples.png" if run.codec is None else "samples.txt")
        require_samples_fit(run, out, self.count)
        density = fit_density(run, self.density, self.label)
        if self.component is not None:
            density = OneComponent(density, self.component)
        save_samples(run, out, density.sample(self.count, self.seed))
        print_path(out)


@dataclass(frozen=True)
class Attributes:
    """Draw test samples, moved along attributes of the data such as CelebA's, from less to more."""

    run_folder: RunArgument
    """The run folder."""
    names: tuple[str, ...]
    """Attributes, such as Smiling Male."""
    samples: int = 3
    """How many test samples."""
    orthogonal: bool = False
    """Remove from the direction of each attribute what the other attributes explain."""
    data: DataOption = None
    """Where the data is now, if it has moved."""
    out: Annotated[str, tyro.conf.arg(metavar="FILE"), InBucket.WRITTEN] = "attributes.png"
    """The picture to write."""

    def run(self) -> None:
        """Draw, and write the picture."""
        out = output_path(self.out, ".png")
        run = load_run(self.run_folder)
        dataset = load_data_of(run.config, self.data)
        draw_attributes(run, dataset, self.names, out, samples=self.samples, orthogonal=self.orthogonal)
        print_path(out)


def samples_path(name: str) -> Path:
    """The file that --out names for samples: a picture, values, or the text of strings."""
    return output_path(name, ".png", ".npy", ".txt")


def load_data_of(config: RunConfig, moved_to: str | None) -> Dataset:
    """The data set of a run, from where it is now if it has moved."""
    data = config.data
    return load_dataset(data if moved_to is None else dataclasses.replace(data, data=moved_to))


def print_metrics(results: Evaluation) -> None:
    """The main metrics of an evaluation, a line each."""
    _print_strings(results.strings)
    for split, error in results.reconstruction_errors.items():
        print(f"reconstruction error, {split}: {error.overall:.2f} %")
    for split, error in list(results.pca_errors.items())[1:2]:
        print(f"PCA of the same rank, {split}: {error.overall:.2f} %")
    if results.surrogate is not None:
        print(f"error of fields predicted from parameters: {results.surrogate.error.overall:.2f} %")
        for rank, errors in results.surrogate.pod.items():
            print(f"  of POD of rank {rank}: {errors.interpolated:.2f} %")
    for name, error in results.generation_error.items():
        print(f"error of samples, {name}: {error.mean:.2f} %")
    for name, value in results.of_model.items():
        print(f"{name.replace('_', ' ')}: {value:.2f}")
    for name, metrics in results.samples.items():
        print(f"FID of samples, {name}: {metrics.fid:.3f}")
    for name, metrics in (("interpolations", results.interpolations), ("reconstructions", results.reconstructions)):
        if metrics is not None:
            print(f"FID of {name}: {metrics.fid:.3f}")


def _print_strings(found: StringMetrics | None) -> None:
    if found is not None:
        for split, share in found.exact.items():
            print(f"strings that come back exactly, {split}: {share:.2f} %")
        print(f"valid draws: {found.valid:.1f} % of {found.drawn}")
        if found.molecules is not None:
            print(f"draws that are molecules: {found.molecules:.1f} %")


def output_path(name: str, *suffixes: str, option: str = "out") -> Path:
    """The file that an option names, which ends in one of `suffixes`, in a folder that exists."""
    path = Path(name)
    if path.suffix not in suffixes:
        raise InputError(f"--{option} must end in {' or '.join(suffixes)}; got {name}")
    if not path.parent.is_dir():
        raise InputError(f"--{option} is in the folder {path.parent}, which does not exist")
    return path
