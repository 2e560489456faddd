"""`fastrrae explore`: the page in which a run's coefficients are moved."""

from dataclasses import dataclass

from ..compilation_cache import enable_compilation_cache
from ..explore import explore
from ..run import load_run
from .finished_runs import DataOption, RunArgument, load_data_of


@dataclass(frozen=True)
class Explore:
    """Open a page in the browser in which coefficients are moved and decoded at once; served to this machine alone."""

    run_folder: RunArgument
    """The run folder."""
    data: DataOption = None
    """Where the data is now, if it has moved."""
    port: int = 0
    """The port of this machine; 0 is any free one."""
    browser: bool = True
    """Print the address, and open no browser."""

    def run(self) -> None:
        """Serve the page until Ctrl-C."""
        enable_compilation_cache()
        run = load_run(self.run_folder)
        dataset = None if self.data is None else load_data_of(run.config, self.data)
        explore(run, dataset, port=self.port, browser=self.browser)
