"""`fastrrae train`."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from ..compilation_cache import enable_compilation_cache
from ..config import RunConfig
from ..data import load_dataset
from ..errors import InputError
from ..evaluation.evaluate import evaluate
from ..processes import ProcessOptions, connect, is_main, notice_lost_processes, on_main, wait_for_all
from ..recipes import Recipe
from ..run import load_run
from ..run_folder import RunFolder
from ..training.loop import train
from .finished_runs import print_figures
from .recipe_choice import recipe_choice


@dataclass(frozen=True)
class TrainRecipe:
    """Options of `fastrrae train RECIPE`."""

    config: RunConfig
    out: Annotated[str | None, tyro.conf.arg(metavar="RUN")] = None
    """The run folder; runs/RECIPE-MODEL by default."""
    overwrite: tyro.conf.FlagCreatePairsOff[bool] = False
    """Replace a run that is already there."""
    resume: tyro.conf.FlagCreatePairsOff[bool] = False
    """Continue an unfinished run from its newest checkpoint; the devices may be others."""
    several_processes: ProcessOptions = field(default_factory=ProcessOptions)


def _describe(recipe: Recipe) -> str:
    return (
        f"{recipe.about}.\n\nBudget: {recipe.budget}; time on 2 cores: {recipe.expected_time}. "
        "Every option changes one value of the recipe."
    )


@dataclass(frozen=True)
class Train:
    """Train a model by a recipe, and leave a run folder with checkpoints, metrics, pictures and a report.

    `fastrrae train RECIPE --help` lists what can be changed. The same command twice gives the same bits. SIGTERM saves
    a checkpoint before it ends the run.
    """

    recipe: recipe_choice(TrainRecipe, _describe)  # pyright: ignore[reportInvalidTypeForm]

    def run(self) -> None:
        """Train, evaluate, and say where the report is."""
        options: TrainRecipe = self.recipe
        config = options.config
        if options.overwrite and options.resume:
            raise InputError("give --overwrite or --resume, not both")
        connect(options.several_processes)
        enable_compilation_cache()
        folder = RunFolder(Path(options.out or f"runs/{config.recipe}-{config.model.model}"))
        if not options.resume:
            on_main(lambda: folder.refuse_existing(overwrite=options.overwrite))
        dataset = load_dataset(config.data)
        if is_main():
            shape = " x ".join(map(str, dataset.sample_shape))
            print(f"training {config.model.model} on {config.recipe}: {len(dataset.train)} samples {shape}")
        train(config, dataset, folder, overwrite=options.overwrite, resume=options.resume)
        if is_main():
            print_figures(evaluate(load_run(folder.root), dataset))
            print(f"report: {folder.report}")
        with notice_lost_processes():
            wait_for_all("evaluated")
