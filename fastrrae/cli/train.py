"""`fastrrae train` and `fastrrae continue`."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar

import tyro

from ..buckets import InBucket, with_addresses
from ..compilation_cache import enable_compilation_cache
from ..data import Dataset, load_dataset
from ..errors import InputError
from ..evaluation.evaluate import evaluate
from ..host_memory import keep_freed_memory
from ..processes import ProcessOptions, connect, is_main, notice_lost_processes, on_main, wait_for_all
from ..recipes import Recipe
from ..run import load_run
from ..run_folder import RunFolder
from ..training.callbacks import Callback, CSVWriter, TensorBoardWriter
from ..training.profile import parse_profile
from ..training.train import continue_training, train
from ..training.watch import Watch
from .finished_runs import DataOption, RunArgument, load_data_of, print_metrics
from .recipe_options import RecipeOptions, recipe_choice


@dataclass(frozen=True)
class FollowOptions:
    """How a training can be followed, besides metrics.jsonl."""

    tensorboard: bool = False
    """Write the curves for TensorBoard into RUN/tensorboard; needs `pip install "fastrrae[tensorboard]"`."""
    csv: bool = False
    """Also write the metrics as a table, RUN/metrics.csv."""
    profile: Annotated[str | None, tyro.conf.arg(metavar="FIRST:LAST")] = None
    """Trace these steps, such as 100:110, into RUN/profile, for XProf; with the time of each part of the step."""
    peak_tflops: float | None = None
    """What a device does at best, in 10^12 operations a second, to count its utilisation; published rates of TPUs are
    known."""
    plan: Annotated[str | None, tyro.conf.arg(metavar="FILE"), InBucket.READ] = None
    """A file of `fastrrae plan --json`, for the report to compare with."""
    quiet: bool = False
    """Show no progress."""

    def watch(self) -> Watch:
        """How the training is watched."""
        if self.peak_tflops is not None and not self.peak_tflops > 0:
            raise InputError(f"`peak_tflops` must be positive; got {self.peak_tflops}")
        profile = None if self.profile is None else parse_profile(self.profile)
        return Watch(profile, self.peak_tflops, None if self.plan is None else Path(self.plan))

    def callbacks(self) -> list[Callback]:
        """Those of the options that are set."""
        return [*([TensorBoardWriter()] if self.tensorboard else []), *([CSVWriter()] if self.csv else [])]


@dataclass(frozen=True, kw_only=True)
class TrainOptions(RecipeOptions):
    """Options of `fastrrae train RECIPE`."""

    out: Annotated[str | None, tyro.conf.arg(metavar="RUN"), InBucket.OPENED] = None
    """The run folder; runs/RECIPE-MODEL by default."""
    init: Annotated[str | None, tyro.conf.arg(metavar="RUN"), InBucket.OPENED] = None
    """Start with the parameters of a finished run that has the same networks: fine-tuning, perhaps on other data."""
    overwrite: bool = False
    """Replace a run that is already there."""
    resume: bool = False
    """Continue an unfinished run from its newest checkpoint, on the same or other devices."""
    resume_auto: bool = False
    """Continue the run if there is one, else start it; for job scripts. Also: --resume auto."""
    follow: FollowOptions = field(default_factory=FollowOptions)
    several_processes: ProcessOptions = field(default_factory=ProcessOptions)


def describe(recipe: Recipe) -> str:
    """What `fastrrae train RECIPE --help` says."""
    return (
        f"{recipe.about}.\n\nLength of training: {recipe.budget}, unless steps or epochs are given; time on 2 cores: "
        f"{recipe.expected_time}. Every option changes one value of the recipe."
    )


@dataclass(frozen=True)
class Train:
    """Train a model by a recipe, and leave a run folder with checkpoints, metrics, pictures and a report.

    `fastrrae train RECIPE --model MODEL --help` lists what can be changed. On CPUs and TPUs, the same command
    twice gives the same bits. SIGTERM saves a checkpoint before it ends the run.
    """

    options: ClassVar[type[RecipeOptions]] = TrainOptions

    describe: ClassVar = staticmethod(describe)

    recipe: recipe_choice(TrainOptions, describe)  # pyright: ignore[reportInvalidTypeForm]

    def run(self) -> None:
        """Train, evaluate, and say where the report is."""
        options: TrainOptions = self.recipe
        if options.overwrite and (options.resume or options.resume_auto):
            raise InputError("give `overwrite` or `resume`, not both")
        config, callbacks, watch = options.resolve(), options.follow.callbacks(), options.follow.watch()
        watch.check()
        keep_freed_memory()  # before the first computation
        connect(options.several_processes)
        enable_compilation_cache()
        folder = RunFolder(Path(options.out or f"runs/{config.recipe}-{config.model.name}"))
        resume = options.resume or (options.resume_auto and folder.config.is_file())
        if not resume:
            on_main(lambda: folder.refuse_existing(overwrite=options.overwrite))
        dataset = load_dataset(config.data)
        if is_main():
            shape = " x ".join(map(str, dataset.sample_shape))
            print(f"training {config.model.name} on {config.recipe}: {len(dataset.train)} samples {shape}")
        train(
            config,
            dataset,
            folder,
            init=options.init,
            overwrite=options.overwrite,
            resume=resume,
            callbacks=callbacks,
            watch=watch,
            quiet=options.follow.quiet,
        )
        _report(folder, dataset)


@dataclass(frozen=True)
class Continue:
    """Train a finished run for more steps, as a new run that starts from its parameters, moments and count of steps."""

    run_folder: RunArgument
    """The finished run; it stays as it is."""
    steps: int
    """How many more steps."""
    out: Annotated[str | None, tyro.conf.arg(metavar="RUN"), InBucket.OPENED] = None
    """The folder of the new run; RUN-continued by default."""
    data: DataOption = None
    """Where the data is now, if it has moved."""
    overwrite: bool = False
    """Replace a run that is already there."""
    resume: bool = False
    """Continue the new run, which was interrupted, from its newest checkpoint."""
    follow: FollowOptions = field(default_factory=FollowOptions)

    def run(self) -> None:
        """Train, evaluate, and say where the report is."""
        if self.overwrite and self.resume:
            raise InputError("give `overwrite` or `resume`, not both")
        callbacks = self.follow.callbacks()
        source = RunFolder(Path(self.run_folder))
        source.require_finished()  # before any data is read
        config = source.load_config()
        out = RunFolder(Path(self.out or f"{source.place.rstrip('/')}-continued"))
        keep_freed_memory()
        enable_compilation_cache()
        dataset = load_data_of(config, self.data)
        continue_training(
            source,
            dataset,
            out,
            steps=self.steps,
            overwrite=self.overwrite,
            resume=self.resume,
            callbacks=callbacks,
            quiet=self.follow.quiet,
        )
        _report(out, dataset)


def _report(folder: RunFolder, dataset: Dataset) -> None:
    """Evaluate a run that has just finished, by the main process."""
    if is_main():
        print_metrics(evaluate(load_run(folder.root), dataset))
        print(with_addresses(f"report: {folder.report}"))
    with notice_lost_processes():
        wait_for_all("evaluated")
