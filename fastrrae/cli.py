"""The command line. Thin: it parses, calls, prints, and turns an `InputError` into a message and an exit code."""

import dataclasses
import sys
from dataclasses import dataclass
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from .compilation_cache import enable_compilation_cache
from .config import RunConfig
from .data import load_dataset
from .errors import InputError
from .evaluation.evaluate import draw_interpolations, evaluate
from .evaluation.figures import draw_grid
from .recipes import RECIPES
from .run import load_run
from .run_folder import RunFolder
from .training.loop import train


@dataclass(frozen=True)
class TrainRecipe:
    """Options of `fastrrae train RECIPE`."""

    config: RunConfig
    out: Annotated[str | None, tyro.conf.arg(metavar="RUN")] = None
    """The run folder; runs/RECIPE-MODEL by default."""
    overwrite: tyro.conf.FlagCreatePairsOff[bool] = False
    """Replace a run that is already there."""
    resume: tyro.conf.FlagCreatePairsOff[bool] = False
    """Continue an unfinished run from its newest checkpoint."""


def _recipe_choices() -> Any:
    """One subcommand per recipe, whose defaults are the recipe's values."""
    return reduce(
        or_,
        (
            Annotated[
                TrainRecipe,
                tyro.conf.subcommand(
                    name,
                    default=TrainRecipe(recipe.config),
                    description=f"{recipe.about}.\n\nBudget: {recipe.budget}; about {recipe.expected_time} on 2 cores. "
                    "Every option changes one value of the recipe.",
                ),
            ]
            for name, recipe in RECIPES.items()
        ),
    )


@dataclass(frozen=True)
class Train:
    """Train a model by a recipe, and leave a run folder with checkpoints, metrics, pictures and a report.

    `fastrrae train RECIPE --help` lists what can be changed. The same command twice gives the same bits.
    """

    recipe: Annotated[_recipe_choices(), tyro.conf.arg(name="")]  # pyright: ignore[reportInvalidTypeForm]


@dataclass(frozen=True)
class Evaluate:
    """Measure a finished run on its test sets; write evaluation.json, figures and report.html."""

    run: tyro.conf.Positional[str]
    """The run folder."""
    data: str | None = None
    """Where the data is now, if not where it was."""


@dataclass(frozen=True)
class Sample:
    """Draw new samples from a finished run: a Gaussian mixture on its training coefficients, decoded."""

    run: tyro.conf.Positional[str]
    """The run folder."""
    count: int = 50
    """How many."""
    out: str = "samples.png"
    """A .png for a picture, a .npy for the values."""
    seed: int = 0
    """The same seed gives the same samples."""


@dataclass(frozen=True)
class Interpolate:
    """Draw straight ways in the latent space between pairs of test samples of a finished run."""

    run: tyro.conf.Positional[str]
    """The run folder."""
    ways: int = 5
    """How many pairs."""
    steps: int = 10
    """Points on each way, ends included."""
    out: str = "interpolations.png"
    """The picture to write."""


@dataclass(frozen=True)
class Recipes:
    """List the recipes: data, model, budget, expected time and figure."""


def main() -> None:
    """Entry point of `fastrrae`."""
    sys.exit(run_command(sys.argv[1:]))


def run_command(arguments: list[str]) -> int:
    """Run one command line; returns the exit code."""
    command = tyro.cli(
        Train | Evaluate | Sample | Interpolate | Recipes,  # pyright: ignore[reportArgumentType]
        args=arguments,
        prog="fastrrae",
        description="Rank-reduction autoencoders. Start with `fastrrae recipes`, then `fastrrae train digits`.",
        config=(tyro.conf.OmitSubcommandPrefixes, tyro.conf.OmitArgPrefixes),
    )
    try:
        _ACTIONS[type(command)](command)
    except InputError as error:
        print(f"fastrrae: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("fastrrae: interrupted; `--resume` continues a training run from its last checkpoint", file=sys.stderr)
        return 130
    return 0


def _train(command: Train) -> None:
    enable_compilation_cache()
    options: TrainRecipe = command.recipe
    config = options.config
    if options.overwrite and options.resume:
        raise InputError("give --overwrite or --resume, not both")
    folder = RunFolder(Path(options.out or f"runs/{config.recipe}-{config.model.model}"))
    if not options.resume:
        folder.refuse_existing(overwrite=options.overwrite)
    dataset = load_dataset(config.data)
    print(f"training {config.model.model} on {config.recipe}: {len(dataset.train)} samples {dataset.sample_shape}")
    train(config, dataset, folder, overwrite=options.overwrite, resume=options.resume)
    results = evaluate(load_run(folder.root), dataset)
    _print_errors(results)
    print(f"report: {folder.report}")


def _evaluate(command: Evaluate) -> None:
    run = load_run(command.run)
    data = run.config.data if command.data is None else dataclasses.replace(run.config.data, data=command.data)
    _print_errors(evaluate(run, load_dataset(data)))
    print(f"report: {run.folder.report}")


def _print_errors(results: dict[str, Any]) -> None:
    for split, errors in results["reconstruction_errors"].items():
        print(f"reconstruction error, {split}: {errors['overall']:.2f} %")


def _sample(command: Sample) -> None:
    if command.count < 1:
        raise InputError(f"--count must be at least 1; got {command.count}")
    out = _output(command.out, ".png", ".npy")
    samples = load_run(command.run).sample(command.count, seed=command.seed)
    if out.suffix == ".npy":
        np.save(out, samples)
    else:
        draw_grid(samples, out)
    print(out)


def _interpolate(command: Interpolate) -> None:
    if command.ways < 1 or command.steps < 2:
        raise InputError(f"--ways must be at least 1 and --steps at least 2; got {command.ways} and {command.steps}")
    out = _output(command.out, ".png")
    draw_interpolations(load_run(command.run), out, ways=command.ways, steps=command.steps)
    print(out)


def _output(name: str, *suffixes: str) -> Path:
    path = Path(name)
    if path.suffix not in suffixes:
        raise InputError(f"--out must end in {' or '.join(suffixes)}; got {name}")
    if not path.parent.is_dir():
        raise InputError(f"--out is in the folder {path.parent}, which does not exist")
    return path


def _list_recipes(_: Recipes) -> None:
    table = Table(title="fastrrae train RECIPE", title_justify="left")
    table.add_column("recipe", no_wrap=True)
    for column in ("data", "model", "budget, time on 2 cores", "expect"):
        table.add_column(column)
    for name, recipe in RECIPES.items():
        model = recipe.config.model
        settings = f"{model.model}\nk={model.rank} L={model.latent_size}"
        table.add_row(name, recipe.about, settings, f"{recipe.budget}\n{recipe.expected_time}", recipe.expected_figure)
    Console().print(table)


_ACTIONS: dict[type, Any] = {
    Train: _train,
    Evaluate: _evaluate,
    Sample: _sample,
    Interpolate: _interpolate,
    Recipes: _list_recipes,
}
