"""`fastrrae export` and `fastrrae card`: a finished run for others, as a program, as weights, or in words."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from ..buckets import InBucket, as_address, place_of, with_addresses
from ..errors import InputError
from ..evaluation.model_card import write_model_card
from ..export import SUFFIX, ExportedPart
from ..run import load_run
from ..weights_file import SUFFIXES
from .bucket_options import print_path
from .finished_runs import RunArgument


@dataclass(frozen=True)
class Export:
    """Write a finished run, or a part of it, as one file: a program that JAX alone runs on CPU, GPU and TPU, or the
    weights."""

    run_folder: RunArgument
    """The run folder."""
    out: Annotated[str, tyro.conf.arg(metavar="FILE"), InBucket.WRITTEN]
    """A .stablehlo for the program, a .safetensors or .npz for the weights."""
    part: ExportedPart | None = None
    """Of a program: encoder (samples to coefficients), decoder (coefficients to samples) or reconstruct (samples to
    samples), in the units of the data."""
    batch_size: int | None = None
    """Of a program: how many samples it takes at a time; by default any number."""

    def run(self) -> None:
        """Load, and write the file."""
        out = Path(self.out)
        if out.suffix not in (SUFFIX, *SUFFIXES):
            raise InputError(f"`out` must end in {', '.join((SUFFIX, *SUFFIXES))}; got {self.out}")
        if (out.suffix == SUFFIX) != (self.part is not None):
            raise InputError(f"`part` must be given for a {SUFFIX} file, and only for one; got {self.part} and {out}")
        if self.batch_size is not None and self.part is None:
            raise InputError(f"`batch_size` is of a program, a {SUFFIX} file; got {out}")
        run = load_run(self.run_folder)
        if self.part is None:
            run.save_weights(out)
        else:
            run.export(out, self.part, batch_size=self.batch_size)
        print_path(out)


@dataclass(frozen=True)
class Card:
    """Write a model card of a finished run: a README.md with its data, training, metrics, pictures and limits."""

    run_folder: RunArgument
    """The run folder."""
    out: Annotated[str | None, tyro.conf.arg(metavar="FILE"), InBucket.WRITTEN] = None
    """The .md file; by default README.md in the run folder, where its pictures are."""
    overwrite: bool = False
    """Replace a file that exists."""

    def run(self) -> None:
        """Write the file, and say where it is."""
        run = load_run(self.run_folder)
        address = None if self.out is None else as_address(with_addresses(self.out))
        if address is not None and not place_of(run.folder.root).startswith(_bucket(address)):
            raise InputError(
                f"`out` must be in the bucket of the run, since a card links to its pictures; got {address}"
            )
        print_path(write_model_card(run, self.out, overwrite=self.overwrite))


def _bucket(address: str) -> str:
    return "/".join([*address.split("/")[:3], ""])
