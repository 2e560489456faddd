"""`fastrrae evaluate`, `sample` and `interpolate`: what can be done with a run that is finished."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import tyro

from ..compilation_cache import enable_compilation_cache
from ..config import ProtocolName
from ..data import load_dataset
from ..errors import InputError
from ..evaluation.draws import density_of
from ..evaluation.evaluate import choose_features, evaluate
from ..evaluation.figures import draw_grid
from ..evaluation.measure import measure
from ..evaluation.pictures import draw_interpolations
from ..evaluation.protocol import PROTOCOLS
from ..run import load_run, load_run_at
from ..run_folder import RunFolder, write_json

RunArgument = Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="RUN")]


@dataclass(frozen=True)
class Evaluate:
    """Judge a finished run by a protocol; write evaluation.json, figures and report.html."""

    run_folder: RunArgument
    """The run folder."""
    data: str | None = None
    """Where the data is now, if not where it was."""
    protocol: ProtocolName | None = None
    """What is measured; by default what the run was started with. vrrae and rae are those of the papers, brief leaves
    samples out."""
    features: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """Compare samples by the network in this .npz file: a classifier of `fastrrae train-features`, or weights of
    Inception-v3. By default a classifier of the data's own labels, if it has any, trained once."""
    step: int | None = None
    """One of the checkpoints that are kept, instead of the end of the run; its figures go to evaluation-STEP.json."""

    def run(self) -> None:
        """Evaluate, print the figures, and say where the report is."""
        enable_compilation_cache()
        folder = RunFolder(Path(self.run_folder))
        if self.step is None:
            folder.require_finished()  # before any data is read
        config = folder.load_config()
        data = config.data
        dataset = load_dataset(data if self.data is None else dataclasses.replace(data, data=self.data))
        protocol = PROTOCOLS[self.protocol or config.evaluation.protocol]
        features = choose_features(self.features, dataset, config.recipe, protocol)
        if self.step is None:
            print_figures(evaluate(load_run(folder.root), dataset, protocol=protocol, features=features))
            print(f"report: {folder.report}")
        else:
            results = measure(load_run_at(folder.root, self.step, dataset), dataset, protocol, features)
            write_json(folder.root / f"evaluation-{self.step}.json", results)
            print_figures(results)


@dataclass(frozen=True)
class Sample:
    """Draw new samples from a finished run: coefficients like those of its training set, decoded."""

    run_folder: RunArgument
    """The run folder."""
    count: int = 50
    """How many."""
    out: str = "samples.png"
    """A .png for a picture, a .npy for the values."""
    seed: int = 0
    """The same seed gives the same samples."""
    density: Literal["mixture", "gaussian", "prior", "second-stage"] = "mixture"
    """What coefficients are drawn from: a Gaussian mixture, one Gaussian or a second, small VAE, fitted on those of the
    training set; or the prior that the model was trained towards."""

    def run(self) -> None:
        """Draw, and write them."""
        if self.count < 1:
            raise InputError(f"--count must be at least 1; got {self.count}")
        out = _output(self.out, ".png", ".npy")
        run = load_run(self.run_folder)
        samples = run.sample(self.count, seed=self.seed, density=density_of(run, self.density))
        if out.suffix == ".npy":
            np.save(out, samples)
        else:
            draw_grid(samples, out)
        print(out)


@dataclass(frozen=True)
class Interpolate:
    """Draw straight ways in the latent space between pairs of test samples of a finished run."""

    run_folder: RunArgument
    """The run folder."""
    ways: int = 5
    """How many pairs."""
    steps: int = 10
    """Points on each way, ends included."""
    out: str = "interpolations.png"
    """The picture to write."""

    def run(self) -> None:
        """Draw, and write the picture."""
        if self.ways < 1 or self.steps < 2:
            raise InputError(f"--ways must be at least 1 and --steps at least 2; got {self.ways} and {self.steps}")
        out = _output(self.out, ".png")
        draw_interpolations(load_run(self.run_folder), out, ways=self.ways, steps=self.steps)
        print(out)


def print_figures(results: dict[str, Any]) -> None:
    """The figures of an evaluation, a line each."""
    for split, errors in results["reconstruction_errors"].items():
        print(f"reconstruction error, {split}: {errors['overall']:.2f} %")
    for name, error in results.get("generation_error", {}).items():
        print(f"error of samples, {name}: {error['mean']:.2f} %")
    if "clustering_accuracy" in results:
        print(f"clustering accuracy, train: {results['clustering_accuracy']:.2f} %")
        print(f"clustering accuracy of k-means on the samples: {results['clustering_accuracy_of_k_means']:.2f} %")
    for name, figures in results.get("samples", {}).items():
        print(f"FID of samples, {name}: {figures['fid']:.3f}")
    for name in ("interpolations", "reconstructions"):
        if name in results:
            print(f"FID of {name}: {results[name]['fid']:.3f}")


def _output(name: str, *suffixes: str) -> Path:
    path = Path(name)
    if path.suffix not in suffixes:
        raise InputError(f"--out must end in {' or '.join(suffixes)}; got {name}")
    if not path.parent.is_dir():
        raise InputError(f"--out is in the folder {path.parent}, which does not exist")
    return path
