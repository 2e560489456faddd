"""A training run from start to finish: set up, restore, loop, finish."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import jax
import numpy as np
from flax import nnx
from jax.sharding import Mesh

from ..atomic_files import write_json
from ..data import Dataset, ordered_batches, training_batches
from ..errors import InputError, TrainingDiverged
from ..latent_summary import coefficients_of, save_latent_summary, summarise_latent
from ..models import Autoencoder, Penalty, TrainingContext, TrainingEvent
from ..models.build import Part
from ..objectives.objective import ReconstructionLoss
from ..processes import gather_rows, is_main, notice_lost_processes, on_main, own_share, sum_over_processes
from ..run_config import RunConfig, flat_fields, without_place
from ..run_folder import RunFolder
from ..run_lock import exclusive
from ..versions import describe_environment
from .checkpoint import Checkpoint, CheckpointStore
from .mesh import data_devices, make_mesh
from .metrics_log import MetricsLog, read_metrics
from .own_parts import Optimiser, OwnParts
from .preemption import Preempted, PreemptionNotice
from .progress import show_progress
from .resolve import resolve_config
from .restore import restore_final
from .sharding import batch_placer, fetch, place, state_shardings
from .state_arrays import digest, flatten, unflatten
from .step import Metrics, Step, StepOptions, TrainState, finish_training, start_training, step_options

if TYPE_CHECKING:
    import grain


def train(
    config: RunConfig,
    dataset: Dataset,
    out: str | Path | RunFolder,
    *,
    overwrite: bool = False,
    resume: bool | Literal["auto"] = False,
    model: Part | None = None,
    encoder: Part | None = None,
    decoder: Part | None = None,
    bottleneck: Part | None = None,
    reconstruction: ReconstructionLoss | None = None,
    penalties: Mapping[str, Penalty] | None = None,
    optimiser: Optimiser | None = None,
) -> Autoencoder:
    """Train what `config` describes on `dataset`, leave the run in the folder `out`, return the model for inference.

    The same configuration, versions and hardware give the same bits. An own `model`, `encoder`, `decoder`,
    `bottleneck`, `reconstruction` loss, `penalties` or `optimiser` takes the place of what the configuration
    describes, and gets all that the built-in ones get; `OwnParts` says what each must be.

    Args:
        config: the whole configuration.
        dataset: see `load_dataset` and `Dataset`.
        out: the run folder. A folder that exists is an error, unless it is to be overwritten or resumed.
        overwrite: replace a run that is there.
        resume: continue from the newest checkpoint, with the configuration, data and parts that the run was started
            with, perhaps on other devices. A finished run is left as it is. "auto" starts the run if there is none.

    Where there are several processes (`fastrrae.processes.connect`), all of them call this with the same arguments
    and a folder that they share.

    Raises:
        InputError: the configuration does not fit the data or the devices, or the folder cannot be used.
        TrainingDiverged: the loss or a gradient is not finite; the last good checkpoint is kept.
        Preempted: SIGTERM came; a checkpoint of the last step is saved.

    Example:
        >>> config = RunConfig("mine", model=RRAE(rank=4, latent_size=32), training=TrainingConfig(steps=500))
        >>> model = train(config, Dataset.from_arrays(x), "runs/mine", optimiser=optax.adam(1e-3))
    """
    parts = OwnParts(model, encoder, decoder, bottleneck, reconstruction, penalties or {}, optimiser)
    folder = out if isinstance(out, RunFolder) else RunFolder(Path(out))
    resume = folder.config.is_file() if resume == "auto" else resume
    mesh = make_mesh(config.sharding)
    trained = parts.build(config, dataset.sample_shape)
    config = resolve_config(config, dataset, parts=parts, model=trained, data_devices=data_devices(mesh))
    if resume:
        _require_same(folder, config, dataset)
        if folder.summary.exists() and restore_final(trained, folder, report=_print_on_main):
            return trained
    else:
        on_main(lambda: folder.refuse_existing(overwrite=overwrite))
    with ExitStack() as stack:
        on_main(lambda: stack.enter_context(exclusive(folder.root)))
        if resume:
            on_main(folder.reopen)
        else:
            on_main(lambda: folder.create(config, dataset, overwrite=overwrite))
        store = stack.enter_context(_checkpoints(config, folder))
        stack.enter_context(notice_lost_processes())
        _Session(config, dataset, folder, store, mesh, parts, trained).run(resume=resume)
    return trained


def _require_same(folder: RunFolder, asked: RunConfig, dataset: Dataset) -> None:
    """Compare field by field, so that the message names what differs; devices, readers and places may."""
    stored = flat_fields(without_place(folder.load_config()))
    wanted = flat_fields(without_place(asked))
    names = [name for name in {**stored, **wanted} if stored.get(name) != wanted.get(name)]
    differences = [f"{name}: {stored.get(name)} stored, {wanted.get(name)} asked" for name in names]
    if differences:
        raise InputError(f"a run is resumed as it was started, and the configuration differs: {'; '.join(differences)}")
    folder.require_same_data(dataset)


def _checkpoints(config: RunConfig, folder: RunFolder) -> CheckpointStore:
    settings = config.training
    return CheckpointStore(folder.checkpoints, keep_last=settings.keep_last, keep_best=settings.keep_best)


def _print_on_main(message: str) -> None:
    if is_main():
        print(message)


@dataclass
class _Session:
    """One call of `train`, from the state to start with to the files of a finished run."""

    config: RunConfig
    dataset: Dataset
    folder: RunFolder
    store: CheckpointStore
    mesh: Mesh
    parts: OwnParts
    model: Autoencoder
    started: float = field(default_factory=time.perf_counter)  # moved back by what earlier sessions took
    first_step_seconds: float | None = None  # of this session: tracing, compiling, and the first batch
    recent: list[float] = field(default_factory=list)  # reconstruction errors logged since the last checkpoint

    @property
    def steps(self) -> int:
        """The length of the training."""
        assert self.config.training.steps is not None  # resolved
        return self.config.training.steps

    def run(self, *, resume: bool) -> None:
        """Train from the start or from the newest checkpoint, to the end; the model comes back ready for inference."""
        on_device = None if self.dataset.normalise_on_host else self.dataset.normalisation
        options = step_options(self.config, on_device, self.parts)
        state, step = start_training(self.model, options, mesh=self.mesh)
        first = 0
        if resume and self.store.latest_step is not None:
            first, state = self._restore(state)
        if first < self.steps:
            state = self._loop(state, step, first)
        self._finish(state, options)

    # Restore

    def _restore(self, state: TrainState) -> tuple[int, TrainState]:
        """The step and state of the newest checkpoint that is whole, laid out as `state` is."""
        layout = {
            name: jax.ShapeDtypeStruct(array.shape, array.dtype, sharding=array.sharding)
            for name, array in flatten(state).items()
        }
        checkpoint = self.store.restore_newest(layout)
        self.store.set_aside(newer_than=checkpoint.step)
        self.started -= checkpoint.progress["seconds"]
        return checkpoint.progress["batches"], unflatten(state, checkpoint.arrays)

    # Loop

    def _loop(self, state: TrainState, step: Step, first: int) -> TrainState:
        """Take the steps after `first`; apply events before, and log and save after, each step where they are due."""
        began = time.perf_counter()
        events = [] if self.parts.replaces_bottleneck else list(self.config.model.events(self.steps))
        with (
            self._batches(first) as batches,
            self._log(first) as log,
            jax.set_mesh(self.mesh),
            PreemptionNotice() as notice,
        ):
            for number in range(first + 1, self.steps + 1):
                for event in events:
                    if event.before_step == number:
                        self._apply(event, state)
                state, metrics = step(state, next(batches))
                if number == first + 1:
                    jax.block_until_ready(metrics)
                    self.first_step_seconds = time.perf_counter() - began
                log(number, state, metrics)
                if number < self.steps:
                    self._save_where_due(number, state, told_to_stop=notice.arrived(number))
        return state

    @contextmanager
    def _batches(self, first: int) -> Iterator["grain.DatasetIterator"]:
        settings = self.config.training
        in_place = self.mesh.size == 1 and jax.default_backend() == "cpu"  # batches need not be moved
        batches = training_batches(
            self.dataset.train,
            batch_size=settings.batch_size,
            seed=settings.seed,
            steps=self.steps,
            start=first,
            workers=self.config.data.workers,
            share=own_share(),
            place=None if in_place else batch_placer(self.mesh),
            normalisation=self.dataset.normalisation if self.dataset.normalise_on_host else None,
        )
        try:
            yield batches
        finally:
            batches.close()

    @contextmanager
    def _log(self, first: int) -> Iterator[Callable[[int, TrainState, Metrics], None]]:
        """The function that logs a step, if it is one to be logged, to the metrics file and the progress display."""
        file = MetricsLog(self.folder.metrics if is_main() else None, after_step=first)
        progress = show_progress(self.steps, start_step=first, silent=not is_main())
        clock, logged = time.perf_counter(), first

        def log(number: int, state: TrainState, metrics: Metrics) -> None:
            nonlocal clock, logged
            if number % self.config.training.log_every and number != self.steps:
                return
            self._require_sound(state)
            row = {name: float(value) for name, value in metrics.items()}
            now = time.perf_counter()
            row |= {"step": number, "steps_per_second": (number - logged) / (now - clock)}
            clock, logged = now, number
            file.write(row)
            self.recent.append(row["reconstruction"])
            progress.update(row)

        try:
            yield log
        finally:
            progress.close()
            file.close()

    def _apply(self, event: TrainingEvent, state: TrainState) -> None:
        """Let an event change the model, and put the changed variables into the state."""
        nnx.update(self.model, fetch(state.variables[0]))
        context = TrainingContext(
            seed=self.config.training.seed,
            coefficients=lambda: coefficients_of(self.model, self.dataset.train, self.dataset.normalisation),
            from_main_process=_from_main_process,
        )
        event.apply(self.model, context)
        self._set_model(state)

    def _save_where_due(self, number: int, state: TrainState, *, told_to_stop: bool) -> None:
        if told_to_stop or number % self.config.training.checkpoint_every == 0:
            self._require_sound(state)
            self._save(number, state)
        if told_to_stop:
            self.store.wait()
            raise Preempted(f"stopped by SIGTERM; the checkpoint of step {number} is saved, `resume` continues")

    def _save(self, step: int, state: TrainState) -> None:
        # One batch a step: the position of the stream is the step, for any number of processes and readers.
        progress = {"batches": step, "seconds": time.perf_counter() - self.started}
        metrics = {"reconstruction": float(np.mean(self.recent))} if self.recent else None
        self.recent = []
        self.store.save(Checkpoint(step, flatten(state), progress), metrics)

    def _require_sound(self, state: TrainState) -> None:
        diverged_at = int(state.diverged_at)
        if diverged_at:
            kept = self.store.latest_step
            raise TrainingDiverged(
                f"the loss or a gradient became NaN or infinite at step {diverged_at}. "
                + (f"The checkpoint of step {kept} is kept. " if kept else "No checkpoint had been written yet. ")
                + "A lower `training.learning_rate`, a larger batch or other data may help"
            )

    # Finish

    def _finish(self, state: TrainState, options: StepOptions) -> None:
        """Fit the basis; leave the final checkpoint, with the fitted basis, and the summary."""
        with jax.set_mesh(self.mesh):
            finish_training(self.model, state, options.hook)
        own = ordered_batches(self.dataset.train, self.dataset.normalisation, share=own_share())
        spectrum = self.model.fit_basis(own, sum_over_processes)
        self.model.eval()
        self._set_model(state)
        if self.store.latest_step != self.steps:
            self._save(self.steps, state)
        latent = summarise_latent(self.model, self.dataset, spectrum)
        self.store.wait()  # a summary says that the run is finished: never before its last checkpoint is on disk
        on_main(lambda: self._write_summary(latent))

    def _set_model(self, state: TrainState) -> None:
        variables = nnx.state(self.model)
        state.variables[0] = place(variables, state_shardings(variables, self.mesh))

    def _write_summary(self, latent: dict[str, np.ndarray]) -> None:
        save_latent_summary(self.folder.latent, latent)
        last = read_metrics(self.folder.metrics)[-1]
        parameters = nnx.state(self.model, nnx.Param)
        summary: Mapping[str, Any] = {
            "steps": self.steps,
            "seconds": round(time.perf_counter() - self.started, 3),
            "first_step_seconds": None if self.first_step_seconds is None else round(self.first_step_seconds, 3),
            "final": {name: last[name] for name in last if name not in ("step", "steps_per_second", "gradient_norm")},
            "parameters": sum(leaf.size for leaf in jax.tree.leaves(parameters)),
            "parameters_sha256": digest(parameters),
            **describe_environment(),
        }
        write_json(self.folder.summary, summary)
        self.folder.unfinished.unlink(missing_ok=True)


def _from_main_process(compute: Callable[[], np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """What the main process computes, on every process."""
    rows = np.asarray(compute(), np.float64)[None] if is_main() else np.zeros((0, *shape))
    return gather_rows(rows)[0]
