"""One training, from the state that it starts with to the files of a finished run."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from flax import nnx
from jax.sharding import Mesh

from ..atomic_files import finite, write_json
from ..data import Dataset, ordered_batches, training_batches
from ..errors import TrainingDiverged
from ..latent_summary import coefficients_of, save_latent_summary, spaced_samples, summarise_latent
from ..models import Autoencoder, TrainingContext, TrainingEvent
from ..processes import gather_rows, is_main, on_main, own_share, sum_over_processes
from ..run_config import RunConfig
from ..run_folder import RunFolder
from ..versions import describe_environment
from .callbacks import Callback
from .checkpoint import Checkpoint
from .checkpoint_store import Checkpoints
from .goodput import Goodput
from .metrics_log import NOT_FINAL, MetricsLog, join, read_metrics
from .own_parts import OwnParts
from .parent import planned_steps, start_from
from .plateau import halve_after_validation
from .preemption import Preempted, PreemptionNotice
from .progress import describe, show_progress
from .sharding import batch_placer, fetch, place_as
from .speed import SlowInput
from .state_arrays import digest, flatten, layout_of, unflatten
from .step import Metrics, Step, StepOptions, TrainState, finish_training, start_training, step_options
from .validation import Improvement, model_at_inference, validation_error
from .watch import Watch, Watching
from .weight_average import with_average, with_weights_of

if TYPE_CHECKING:
    import grain


@dataclass
class Session:
    """One call of `train`, from the state to start with to the files of a finished run."""

    config: RunConfig
    dataset: Dataset
    folder: RunFolder
    store: Checkpoints
    mesh: Mesh
    parts: OwnParts
    model: Autoencoder
    callbacks: Sequence[Callback] = ()  # on the main process alone
    quiet: bool = False
    watch: Watch = field(default_factory=Watch)
    taken: int = 0  # steps, with those of earlier sessions
    improvement: Improvement = field(default_factory=Improvement)
    started: float = field(default_factory=time.perf_counter)  # moved back by what earlier sessions took
    first_step_seconds: float | None = None  # of this session: tracing, compiling, and the first batch
    goodput: Goodput = field(default_factory=Goodput)
    recent: list[float] = field(default_factory=list)  # reconstruction errors logged since the last checkpoint

    @property
    def steps(self) -> int:
        """The length of the training."""
        assert self.config.training.steps is not None  # resolved
        return self.config.training.steps

    @property
    def in_place(self) -> bool:
        """Whether batches are already in the memory of the one device."""
        return self.mesh.size == 1 and jax.default_backend() == "cpu"

    @property
    def validate_every(self) -> int | None:
        """Steps between two validations; None without a validation split."""
        settings = self.config.training
        return None if self.dataset.validation is None else settings.validate_every or settings.checkpoint_every

    @property
    def stopped_early(self) -> bool:
        """Whether the validation error has not improved for as long as it may."""
        patience = self.config.training.stop_after
        return patience is not None and self.improvement.waited >= patience

    @property
    def on_plateau(self) -> bool:
        """Whether the rate is to be halved, as the validation error has not improved again."""
        settings, waited = self.config.training, self.improvement.waited
        by_validation = settings.schedule == "validation-plateau"
        return by_validation and waited > 0 and waited % settings.plateau_validations == 0

    def run(self, *, resume: bool) -> None:
        """Train from the start or from the newest checkpoint, to the end; the model comes back ready for inference."""
        on_device = None if self.dataset.normalise_on_host else self.dataset.normalisation
        options = step_options(self.config, self.dataset.sample_shape, on_device, self.parts)
        state, step = start_training(self.model, options, mesh=self.mesh)
        if resume and self.store.latest_step is not None:
            state = self._restore(state)
        elif self.config.parent:
            self.taken, state = start_from(self.config.parent, self.model, state, self.folder)
        for callback in self.callbacks:
            callback.on_start(self.folder, self.taken)
        if self.config.parent and self.store.latest_step is None:
            self._save(state)  # so that the run needs its parent no more
        if self.taken < self.steps and not self.stopped_early:
            state = self._loop(state, step, first=self.taken)
        self._finish(state, options)
        for callback in self.callbacks:
            callback.on_end(self.model, self.folder)

    # Restore

    def _restore(self, state: TrainState) -> TrainState:
        """The state of the newest checkpoint that is whole, laid out as `state` is."""
        checkpoint = self.store.restore_newest(layout_of(state))
        self.store.set_aside(newer_than=checkpoint.step)
        progress = checkpoint.progress
        self.started -= progress["seconds"]
        self.improvement = Improvement.of_checkpoint(progress)
        self.goodput = Goodput.of_checkpoint(progress)
        self.taken = progress["batches"]
        return unflatten(state, checkpoint.arrays)

    # Loop

    def _loop(self, state: TrainState, step: Step, first: int) -> TrainState:
        """Take the steps after `first`; apply events before, and log and save after, each step where they are due."""
        began = time.perf_counter()
        events = [] if self.parts.replaces_bottleneck else list(self.config.model.events(planned_steps(self.config)))
        with (
            self._batches(first) as batches,
            jax.set_mesh(self.mesh),
            self.watch.start(self.folder, self.config.training.batch_size, self.mesh) as watching,
            self._log(first, watching) as log,
            PreemptionNotice() as notice,
        ):
            for number in range(first + 1, self.steps + 1):
                for event in events:
                    if event.before_step == number:
                        self._apply(event, state)
                batch = self._next(batches, is_first=number == first + 1)
                watching.before(number, step, state, batch)
                state, metrics = step(state, batch)
                if number == first + 1:
                    jax.block_until_ready(metrics)
                    self.first_step_seconds = time.perf_counter() - began
                    self.goodput.lost["first_step"] += self.first_step_seconds
                self.taken = number
                watching.after(number, metrics)
                log(number, state, metrics)
                if self.stopped_early:
                    break
                if self._is_due(number, self.validate_every) and self.on_plateau:
                    state = halve_after_validation(state)
                if number < self.steps:
                    self._save_where_due(state, told_to_stop=notice.arrived(number))
        return state

    def _next(self, batches: Iterator[Any], *, is_first: bool) -> Any:
        """The next batch; the time that it is waited for is lost, that of a session's first one with its first step."""
        with jax.profiler.TraceAnnotation("input"), nullcontext() if is_first else self.goodput.losing("input"):
            batch = next(batches)
            # A program that has to wait for its input is run by another thread, see `host_memory`.
            return jax.block_until_ready(jax.device_put(batch)) if self.in_place else batch

    @contextmanager
    def _batches(self, first: int) -> Iterator["grain.DatasetIterator"]:
        settings = self.config.training
        batches = training_batches(
            self.dataset.train,
            batch_size=settings.batch_size,
            seed=settings.seed,
            steps=self.steps,
            start=first,
            workers=self.config.data.workers,
            share=own_share(),
            place=None if self.in_place else batch_placer(self.mesh),
            normalisation=self.dataset.normalisation if self.dataset.normalise_on_host else None,
            shard_window=self.config.data.shard_window,
        )
        try:
            yield batches
        finally:
            batches.close()

    @contextmanager
    def _log(self, first: int, watching: Watching) -> Iterator[Callable[[int, TrainState, Metrics], None]]:
        """The function that logs a step, if it is one to be logged: to the metrics file, the display and callbacks."""
        in_parts = self.folder.copy is not None
        file = MetricsLog(self.folder.metrics if is_main() else None, after_step=first, in_parts=in_parts)
        progress = show_progress(self.steps, start_step=first, silent=self.quiet or not is_main())
        clock, logged, last_validation = time.perf_counter(), first, {}
        reads = not isinstance(self.dataset.train, np.ndarray)
        waited, slow_input = self.goodput.lost["input"], SlowInput()

        def log(number: int, state: TrainState, metrics: Metrics) -> None:
            """Log step `number` where its turn has come; raises TrainingDiverged if the state is not finite."""
            nonlocal clock, logged, last_validation, waited
            validate = self._is_due(number, self.validate_every)
            if not validate and not self._is_due(number, self.config.training.log_every):
                return
            self._require_sound(state)
            row = {name: float(value) for name, value in metrics.items()}
            seconds, waited_now = time.perf_counter() - clock, self.goodput.lost["input"] - waited
            speed = (number - logged) / seconds
            row |= {"step": number, "steps_per_second": speed, "input_share": waited_now / seconds}
            row |= watching.cost.rates(speed) if watching.cost is not None else {}
            if reads and logged > first:
                progress.note(slow_input.after(waited_now, seconds, number - logged))
            self.recent.append(row["reconstruction"])
            if validate:
                last_validation = {"validation": self._validate(state)}
                row |= last_validation
            clock, logged, waited = time.perf_counter(), number, self.goodput.lost["input"]
            file.write(row)
            progress.update(int(row["step"]), describe(row | last_validation))
            for callback in self.callbacks:
                callback.on_log(row)

        try:
            yield log
        finally:
            progress.close()
            file.close()

    def _is_due(self, number: int, every: int | None) -> bool:
        """Whether what is done at regular intervals, and after the last step, is done after this step."""
        return every is not None and (number % every == 0 or number == self.steps)

    def _validate(self, state: TrainState) -> float:
        model = model_at_inference(self.model, with_average(state.variables[0], state.average), self.dataset)
        error = validation_error(model, self.dataset)
        self.improvement.take(self.taken, error)
        for callback in self.callbacks:
            callback.on_validation(self.taken, error, model)
        return error

    def _apply(self, event: TrainingEvent, state: TrainState) -> None:
        """Let an event change the model, and put the changed variables into the state."""
        nnx.update(self.model, fetch(state.variables[0]))
        context = TrainingContext(
            seed=self.config.training.seed,
            coefficients=lambda: coefficients_of(self.model, self.dataset.train, self.dataset.normalisation),
            samples=lambda count: spaced_samples(self.dataset.train, count, self.dataset.normalisation),
            from_main_process=_from_main_process,
        )
        event.apply(self.model, context)
        self._set_model(state)

    def _save_where_due(self, state: TrainState, *, told_to_stop: bool) -> None:
        if told_to_stop or self.taken % self.config.training.checkpoint_every == 0:
            self._require_sound(state)
            self._save(state)
        if told_to_stop:
            self.store.wait()
            raise Preempted(f"stopped by SIGTERM; the checkpoint of step {self.taken} is saved, `resume` continues")

    def _save(self, state: TrainState) -> None:
        # One batch a step: the position of the stream is the step, for any number of processes and readers.
        progress = {"batches": self.taken, "seconds": time.perf_counter() - self.started, **asdict(self.improvement)}
        progress |= self.goodput.as_progress()
        with self.goodput.losing("checkpoints"):
            self.store.save(Checkpoint(self.taken, flatten(state), finite(progress)), self._metrics_to_compare_by())
        for callback in self.callbacks:
            callback.on_checkpoint(self.taken)

    def _metrics_to_compare_by(self) -> dict[str, float] | None:
        """The error by which checkpoints are the best: of the validation at this step, or of the steps before it."""
        recent, self.recent = self.recent, []
        if self.validate_every is None:
            return {"reconstruction": float(np.mean(recent))} if recent else None
        error = self.improvement.last if self._is_due(self.taken, self.validate_every) else math.nan
        return {"reconstruction": error} if math.isfinite(error) else None

    def _require_sound(self, state: TrainState) -> None:
        diverged_at = int(state.diverged_at)
        if diverged_at:
            kept = self.store.latest_step
            bound = getattr(self.config.model, "bounded_variance", None)
            raise TrainingDiverged(
                f"the loss or a gradient became NaN or infinite at step {diverged_at}. "
                + (f"The checkpoint of step {kept} is kept. " if kept else "No checkpoint had been written yet. ")
                + "A lower `training.learning_rate`, "
                + ("`model.bounded_variance`, " if bound is False else "")
                + "a larger batch or other data may help"
            )

    # Finish

    def _finish(self, state: TrainState, options: StepOptions) -> None:
        """Fit the basis; leave the final checkpoint, with the fitted basis, and the summary."""
        with jax.set_mesh(self.mesh):
            finish_training(self.model, state, options.hook)
        own = ordered_batches(self.dataset.train, self.dataset.normalisation, share=own_share())
        spectrum = self.model.fit_basis(own, sum_over_processes)
        self.model.eval()
        last = state.variables[0]
        self._set_model(state)
        if state.average is not None:  # a continued training goes on from the last weights
            state.variables[0] = with_weights_of(state.variables[0], last)
        if self.store.latest_step != self.taken:
            self._save(state)
        latent = summarise_latent(self.model, self.dataset, spectrum)
        self.store.wait()  # a summary says that the run is finished: never before its last checkpoint is on disk
        on_main(lambda: self._write_summary(latent))

    def _set_model(self, state: TrainState) -> None:
        state.variables[0] = place_as(nnx.state(self.model), state.variables[0])

    def _best_validation(self) -> dict[str, float] | None:
        best = self.improvement
        return {"step": best.best_step, "error": best.best} if best.best_step else None

    def _write_summary(self, latent: dict[str, np.ndarray]) -> None:
        save_latent_summary(self.folder.latent, latent)
        join(self.folder.metrics)
        last = (read_metrics(self.folder.metrics) or [{}])[-1]
        parameters = nnx.state(self.model, nnx.Param)
        summary: Mapping[str, Any] = {
            "steps": self.taken,
            "stopped_early": self.stopped_early,
            "best_validation": self._best_validation(),
            "seconds": round(time.perf_counter() - self.started, 3),
            "goodput": self.goodput.summary(time.perf_counter() - self.started),
            "first_step_seconds": None if self.first_step_seconds is None else round(self.first_step_seconds, 3),
            "final": {name: last[name] for name in last if name not in NOT_FINAL},
            "parameters": sum(leaf.size for leaf in jax.tree.leaves(parameters)),
            "parameters_sha256": digest(parameters),
            **describe_environment(),
        }
        write_json(self.folder.summary, summary)
        self.folder.record_checksums()
        self.folder.unfinished.unlink(missing_ok=True)
        self.folder.publish()


def _from_main_process(compute: Callable[[], np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """What the main process computes, on every process."""
    rows = np.asarray(compute(), np.float64)[None] if is_main() else np.zeros((0, *shape))
    return gather_rows(rows)[0]
