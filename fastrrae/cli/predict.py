"""`fastrrae predict`: fields for parameters that no simulation has been run for."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from ..atomic_files import write_array
from ..buckets import InBucket
from ..compilation_cache import enable_compilation_cache
from ..errors import InputError
from ..run import load_run
from ..run_folder import RunFolder
from ..surrogates import ExtrapolationWarning
from ..surrogates.parameter_files import read_parameters
from ..surrogates.surrogate import MethodName
from .bucket_options import print_path
from .finished_runs import DataOption, RunArgument, load_data_of, output_path


@dataclass(frozen=True)
class Predict:
    """Predict fields from parameters: training coefficients interpolated over the parameters, and decoded."""

    run_folder: RunArgument
    """The run folder; its data must have parameters."""
    parameters: Annotated[str, tyro.conf.arg(metavar="FILE"), InBucket.READ]
    """A .csv table with a column for each parameter of the run, found by its name; or a .npy array with a row for each
    field, and columns in the order of the run."""
    out: Annotated[str, tyro.conf.arg(metavar="FILE"), InBucket.WRITTEN] = "fields.npy"
    """The .npy file for the fields, in the units of the data."""
    method: MethodName = "rbf"
    """How coefficients are interpolated: radial basis functions, linearly, or by Gaussian processes."""
    std: Annotated[str | None, tyro.conf.arg(metavar="FILE"), InBucket.WRITTEN] = None
    """A .npy file for standard deviations of the fields (method gp)."""
    data: DataOption = None
    """Where the data is now, if it has moved; read only for runs of earlier versions, which kept no parameters."""
    overwrite: bool = False
    """Replace files that are already there."""

    def run(self) -> None:
        """Predict, and write the fields."""
        enable_compilation_cache()
        out = self._output("out", self.out)
        std = None if self.std is None else self._output("std", self.std)
        if std == out:
            raise InputError(f"`out` and `std` must be different files; both are {out}")
        if std is not None and self.method != "gp":
            raise InputError(f"`std` needs `method` gp: {self.method} has no standard deviation")
        RunFolder(Path(self.run_folder)).require_finished()
        run = load_run(self.run_folder)
        dataset = load_data_of(run.config, self.data) if run.training_parameters is None else None
        surrogate = run.surrogate(self.method, parameters=dataset)
        parameters = read_parameters(Path(self.parameters), surrogate.parameter_names)
        with _extrapolation_in_a_line():
            if std is None:
                write_array(out, surrogate.predict(parameters))
            else:
                fields, deviations = surrogate.predict(parameters, return_std=True)
                write_array(out, fields)
                write_array(std, deviations)
        for path in [out] if std is None else [out, std]:
            print_path(path)

    def _output(self, option: str, name: str) -> Path:
        path = output_path(name, ".npy", option=option)
        if path.exists() and not self.overwrite:
            raise InputError(f"{path} is already there: give `overwrite` to replace it, or choose another file")
        return path


@contextmanager
def _extrapolation_in_a_line() -> Iterator[None]:
    """What the library warns of, as the command line says it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ExtrapolationWarning)
        yield
    for warning in caught:
        if issubclass(warning.category, ExtrapolationWarning):
            print(f"fastrrae: warning: {warning.message}", file=sys.stderr)
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
