"""`fastrrae optimise`: search the latent space of a finished run for the objects with the best scores."""

from dataclasses import dataclass, field
from typing import Annotated

import tyro

from ..buckets import InBucket, inside
from ..compilation_cache import enable_compilation_cache
from ..latent_optimisation import SearchOptions, load_objective, optimise
from ..run import load_run
from .bucket_options import print_path
from .finished_runs import RunArgument


@dataclass(frozen=True)
class Optimise:
    """Search the latent space of a finished run for the objects with the best scores, next to random search.

    A Gaussian process learns the scores, and points of the greatest expected improvement are evaluated. If the search
    is interrupted, the same command continues; more rounds go on from those that are there.
    """

    run_folder: RunArgument
    """The run folder."""
    objective: Annotated[str, tyro.conf.arg(metavar="MODULE:FUNCTION")]
    """The function of one object that gives its score, in a module that Python finds or in the current folder. Objects
    are strings, or samples in the units of the data. Of the expressions:
    fastrrae.grammars.expressions:expression_score. Of molecules, with --maximise:
    fastrrae.grammars.molecules:penalised_logp."""
    out: Annotated[str | None, tyro.conf.arg(metavar="FOLDER"), InBucket.OPENED] = None
    """The folder for the log, the results and the pictures; by default `optimisation` in the run folder."""
    overwrite: bool = False
    """Start again where there is a search already."""
    options: SearchOptions = field(default_factory=SearchOptions)

    def run(self) -> None:
        """Search, and print the best objects."""
        enable_compilation_cache()
        objective = load_objective(self.objective)
        run = load_run(self.run_folder)
        out = inside(run.folder.root, "optimisation") if self.out is None else self.out
        found = optimise(
            run, objective, out, options=self.options, name=self.objective, overwrite=self.overwrite, report=print
        )
        for row in found.best[:3]:
            print(f"{row.score:.4g}" + ("" if row.text is None else f"  {row.text}"))
        print_path(out)
