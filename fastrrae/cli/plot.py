"""`fastrrae plot`: one picture of finished runs, as PNG, SVG or PDF."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from ..buckets import InBucket
from ..compilation_cache import enable_compilation_cache
from ..evaluation.named_plots import PlotName, PlotOptions, plot
from ..run_folder import RunFolder
from .bucket_options import print_path
from .finished_runs import DataOption, load_data_of


@dataclass(frozen=True)
class Plot:
    """Draw one picture of finished runs, for a paper or a talk.

    spectrum: latent singular values of several runs. means: the second latent mean against the first, a panel for each
    run; for the gaussians, with a diagonal motion in red. embedding: data and codes in the plane. neighbours: generated
    samples with their four nearest training samples. components: samples by component of the mixture.
    """

    name: Annotated[tyro.conf.Positional[PlotName], tyro.conf.arg(metavar="NAME")]
    """Which picture."""
    runs: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RUN [RUN ...]"), InBucket.OPENED]
    """Run folders; several for spectrum and means, otherwise one."""
    out: Annotated[str | None, tyro.conf.arg(metavar="FILE"), InBucket.WRITTEN] = None
    """The file to write, a .png, .svg or .pdf; NAME.png by default."""
    data: DataOption = None
    """Where the data is now, if it has moved."""
    options: PlotOptions = field(default_factory=PlotOptions)

    def run(self) -> None:
        """Draw, and write the picture."""
        enable_compilation_cache()
        dataset = load_data_of(RunFolder(Path(self.runs[0])).load_config(), self.data) if self.data else None
        print_path(plot(self.name, self.runs, self.out or f"{self.name}.png", dataset=dataset, options=self.options))
