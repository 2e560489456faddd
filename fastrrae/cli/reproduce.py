"""`fastrrae reproduce`: the runs of a published table, as one table."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from ..buckets import InBucket, with_addresses
from ..compilation_cache import enable_compilation_cache
from ..errors import InputError
from ..reproduce import TABLES, Reproduction, reproduce
from .compare import print_table
from .finished_runs import DataOption


@dataclass(frozen=True)
class Reproduce:
    """Train and evaluate the runs of a published table, next to the published numbers.

    If it is interrupted, the same command continues.
    """

    table: Annotated[tyro.conf.Positional[Literal[tuple(TABLES)]], tyro.conf.arg(metavar="TABLE")]  # pyright: ignore
    """vrrae-table1 (gaussians), or vrrae-table2, vrrae-table3 (ablation) or vrrae-beta, each with -mnist, -cifar10 or
    -celeba. Regularised autoencoders on MNIST: rae-table1-mnist, gmm-dae-table1, landscape-table3-mnist.
    IRMAE paper: irmae-table3 and irmae-table4 (MNIST), irmae-table6 (CelebA).
    rae-table-structured: expressions (RAE and GMM-DAE papers), with searches in latent space;
    rae-table-structured-molecules: molecules from --data FILE, as ZINC250k. Our own: vrrae-tuning-mnist and
    vrrae-tuning-cifar10 (table 2, better optimised), family-digits (every model), irmae-depth-digits, gmm-dae-mnist
    (clusters), dimension-recovery (data of known dimension), adaptive-rank-gaussians and adaptive-rank-mnist
    (compared with fixed ranks), collapse-digits and collapse-gaussians (posterior collapse over rank and beta)."""
    data: DataOption = None
    """The data, for tables of data sets that are read from files."""
    out: Annotated[str | None, InBucket.OPENED] = None
    """The folder of its runs and of the table; runs/TABLE by default."""
    seeds: int | None = None
    """How many seeds each model is trained with; by default as many as in the paper, or fewer where runs are long."""
    first_seed: int = 0
    """The first of them."""
    features: Annotated[str | None, tyro.conf.arg(metavar="FILE"), InBucket.READ] = None
    """Features for the FID, see `fastrrae evaluate --help`."""
    jobs: int = 1
    """Runs that train at the same time, each on its share of the cores."""
    quick: tyro.conf.FlagCreatePairsOff[bool] = False
    """A few steps and samples, to check that everything works; the table says so."""
    rows: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME...")] = ()
    """Make these rows of the table alone, by their names; the table says which ones are left out."""
    only: Annotated[str | None, tyro.conf.arg(metavar="NAME-seedN")] = None
    """Make only the run with this folder name, and no table: to distribute the runs over several machines."""

    def run(self) -> None:
        """Train, evaluate, and print the table."""
        for name in ("seeds", "jobs"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"--{name} must be at least 1; got {value}")
        if self.first_seed < 0:
            raise InputError(f"--first-seed must not be negative; got {self.first_seed}")
        enable_compilation_cache()
        out = self.out or f"runs/{self.table}{'-quick' if self.quick else ''}"
        asked = Reproduction(
            TABLES[self.table],
            Path(out),
            self.data,
            self.features,
            self.seeds,
            self.first_seed,
            self.quick,
            self.rows,
        )
        table = reproduce(asked, jobs=self.jobs, only=self.only, report=lambda line: print(with_addresses(line)))
        if table is not None:
            print_table(table, out)
