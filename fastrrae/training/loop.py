"""A training run from start to finish: batches, steps, metrics, checkpoints, and at the end the fitted basis."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import grain
import jax
import numpy as np
from flax import nnx
from jax.sharding import Mesh

from ..build import build_model
from ..config import RunConfig, without_place
from ..data import Dataset, ordered_batches, training_batches
from ..data.distortion import require_images
from ..errors import InputError, TrainingDiverged
from ..latent import coefficients_of, describe_latent, save_latent
from ..models import Autoencoder
from ..models.basis import LatentSpectrum
from ..models.mixture_matched import MixtureMatched
from ..processes import gather_rows, is_main, notice_lost_processes, on_main, own_share, sum_over_processes
from ..resolve import resolve_config
from ..run import load_run
from ..run_folder import RunFolder, write_json
from ..versions import describe_environment
from .alignment import align_prior
from .checkpoint import Checkpoint, CheckpointStore
from .configured import step_options
from .host_memory import keep_freed_memory
from .mesh import data_devices, make_mesh
from .metrics import MetricsLog, read_metrics
from .preemption import Preempted, PreemptionNotice
from .progress import show_progress
from .sharding import batch_placer, fetch, place, state_shardings
from .state_arrays import digest, flatten, unflatten
from .step import Metrics, Step, TrainState, finish_training, start_training


def train(
    config: RunConfig, dataset: Dataset, out: str | Path | RunFolder, *, overwrite: bool = False, resume: bool = False
) -> Autoencoder:
    """Train what `config` describes on `dataset`, leave the run in the folder `out`, return the model for inference.

    The same configuration, versions and hardware give the same bits. An existing folder is an error, unless it is to be
    overwritten or resumed; resuming continues from the newest checkpoint with the configuration and data that the run
    was started with, perhaps on other devices, and leaves a finished run as it is.

    Where there are several processes (`fastrrae.processes.connect`), all of them call this with the same arguments
    and a folder that they share.

    Raises:
        InputError: the configuration does not fit the data or the devices, or the folder cannot be used.
        TrainingDiverged: the loss or a gradient is not finite; the last good checkpoint is kept.
        Preempted: SIGTERM came; a checkpoint of the last step is saved.
    """
    keep_freed_memory()
    folder = out if isinstance(out, RunFolder) else RunFolder(Path(out))
    mesh = make_mesh(config.sharding)
    config = resolve_config(config, len(dataset.train), parts=data_devices(mesh))
    model = build_model(config.model, dataset.sample_shape, seed=config.training.seed)
    if config.training.distort:
        require_images(dataset.sample_shape)
    if resume:
        _require_same(folder.load_config(), config)
        folder.require_same_data(dataset)
        if folder.summary.exists():
            return load_run(folder.root).model
    else:
        on_main(lambda: folder.create(config, dataset, overwrite=overwrite))
    settings = config.training
    with CheckpointStore(folder.checkpoints, keep_last=settings.keep_last, keep_best=settings.keep_best) as store:
        session = _Session(config, dataset, folder, store, mesh)
        with notice_lost_processes():
            session.run(model, resume=resume)
    return model


def _require_same(stored: RunConfig, asked: RunConfig) -> None:
    """Compare part by part, so that the message names what differs; devices, readers and places may."""
    stored, asked = without_place(stored), without_place(asked)
    if stored != asked:
        parts = [part.name for part in fields(asked) if getattr(stored, part.name) != getattr(asked, part.name)]
        differences = "; ".join(
            f"{name}: {getattr(stored, name)} stored, {getattr(asked, name)} asked" for name in parts
        )
        raise InputError(f"--resume continues a run as it was started, and the configuration differs: {differences}")


@dataclass
class _Session:
    config: RunConfig
    dataset: Dataset
    folder: RunFolder
    store: CheckpointStore
    mesh: Mesh
    started: float = field(default_factory=time.perf_counter)  # moved back by what earlier sessions took
    first_step_seconds: float | None = None  # of this session: tracing, compiling, and the first batch
    recent: list[float] = field(default_factory=list)  # reconstruction errors logged since the last checkpoint

    @property
    def steps(self) -> int:
        assert self.config.training.steps is not None  # resolved
        return self.config.training.steps

    @property
    def aligned_from(self) -> int | None:
        """The first step that a prior pulls in, which waits for clusters."""
        share = self.config.model.align_after
        return int(share * self.steps) + 1 if share else None

    def run(self, model: Autoencoder, *, resume: bool) -> None:
        """Train `model` from its start or from the newest checkpoint, to the end; it comes back ready for inference."""
        settings, data = self.config.training, self.dataset
        state, step = start_training(model, mesh=self.mesh, **step_options(self.config, self.steps, data.normalisation))
        first = 0
        if resume and self.store.latest_step is not None:
            first, state = self._restore(state)
        in_place = self.mesh.size == 1 and jax.default_backend() == "cpu"  # batches need not be moved
        batches = training_batches(
            data.train,
            batch_size=settings.batch_size,
            seed=settings.seed,
            steps=self.steps,
            start=first,
            workers=self.config.data.workers,
            share=own_share(),
            place=None if in_place else batch_placer(self.mesh),
        )
        with jax.set_mesh(self.mesh), PreemptionNotice() as notice:
            state = self._iterate(model, state, step, batches, first, notice)
        finish_training(model, state)
        own = ordered_batches(data.train, data.normalisation, share=own_share())
        spectrum = model.fit_basis(own, sum_over_processes)
        model.eval()
        self._finish(model, state, spectrum)

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

    def _save(self, step: int, state: TrainState) -> None:
        # One batch a step: the position of the stream is the step, for any number of processes and readers.
        progress = {"batches": step, "seconds": time.perf_counter() - self.started}
        metrics = {"reconstruction": float(np.mean(self.recent))} if self.recent else None
        self.recent = []
        self.store.save(Checkpoint(step, flatten(state), progress), metrics)

    def _iterate(
        self,
        model: Autoencoder,
        state: TrainState,
        step: Step,
        batches: grain.DatasetIterator,
        first: int,
        notice: PreemptionNotice,
    ) -> TrainState:
        settings = self.config.training
        if first == self.steps:
            return state
        log = MetricsLog(self.folder.metrics if is_main() else None, after_step=first)
        progress = show_progress(self.steps, start_step=first, silent=not is_main())
        clock, logged = time.perf_counter(), first
        try:
            for number in range(first + 1, self.steps + 1):
                if number == self.aligned_from:
                    self._align(model, state)
                state, metrics = step(state, next(batches))
                if number == first + 1:
                    jax.block_until_ready(metrics)
                    self.first_step_seconds = time.perf_counter() - clock
                if number % settings.log_every == 0 or number == self.steps:
                    row = self._fetch(state, metrics)
                    now = time.perf_counter()
                    row |= {"step": number, "steps_per_second": (number - logged) / (now - clock)}
                    clock, logged = now, number
                    log.write(row)
                    self.recent.append(row["reconstruction"])
                    progress.update(row)
                if number == self.steps:
                    break
                stop = notice.arrived(number)
                if stop or number % settings.checkpoint_every == 0:
                    self._require_sound(state)
                    self._save(number, state)
                if stop:
                    self.store.wait()
                    raise Preempted(f"stopped by SIGTERM; the checkpoint of step {number} is saved, --resume continues")
        finally:
            batches.close()
            progress.close()
            log.close()
        return state

    def _align(self, model: Autoencoder, state: TrainState) -> None:
        """Lay the prior of the model on the clusters of what it makes of the training set, in the state."""
        bottleneck = model.bottleneck
        assert isinstance(bottleneck, MixtureMatched)
        nnx.update(model, fetch(state.variables[0]))
        codes = coefficients_of(model, self.dataset.train, self.dataset.normalisation)
        # The main process's, for all: two kinds of processors may round to two sets of clusters.
        chart = [align_prior(bottleneck.prior, codes, self.config.training.seed)] if is_main() else []
        bottleneck.set_chart(gather_rows(np.reshape(chart, (-1, *bottleneck.chart.shape)))[0])
        self._set_model(state, model)

    def _set_model(self, state: TrainState, model: Autoencoder) -> None:
        variables = nnx.state(model)
        state.variables[0] = place(variables, state_shardings(variables, self.mesh))

    def _fetch(self, state: TrainState, metrics: Metrics) -> dict[str, Any]:
        self._require_sound(state)
        return {name: float(value) for name, value in metrics.items()}

    def _require_sound(self, state: TrainState) -> None:
        diverged_at = int(state.diverged_at)
        if diverged_at:
            kept = self.store.latest_step
            raise TrainingDiverged(
                f"the loss or a gradient became NaN or infinite at step {diverged_at}. "
                + (f"The checkpoint of step {kept} is kept. " if kept else "No checkpoint had been written yet. ")
                + "A lower --learning-rate, a larger batch or other data may help"
            )

    def _finish(self, model: Autoencoder, state: TrainState, spectrum: LatentSpectrum) -> None:
        """Leave the final checkpoint, with the fitted basis, and the summary."""
        self._set_model(state, model)
        if self.store.latest_step != self.steps:
            self._save(self.steps, state)
        latent = describe_latent(model, self.dataset, spectrum)
        self.store.wait()  # a summary says that the run is finished: never before its last checkpoint is on disk
        on_main(lambda: self._write_summary(model, latent))

    def _write_summary(self, model: Autoencoder, latent: dict[str, np.ndarray]) -> None:
        save_latent(self.folder.latent, latent)
        last = read_metrics(self.folder.metrics)[-1]
        parameters = nnx.state(model, nnx.Param)
        summary: Mapping[str, Any] = {
            "steps": self.steps,
            "seconds": round(time.perf_counter() - self.started, 3),
            "first_step_seconds": None if self.first_step_seconds is None else round(self.first_step_seconds, 3),
            "final": {name: last[name] for name in ("loss", "reconstruction", "kl")},
            "parameters": sum(leaf.size for leaf in jax.tree.leaves(parameters)),
            "parameters_sha256": digest(parameters),
            **describe_environment(),
        }
        write_json(self.folder.summary, summary)
        self.folder.unfinished.unlink(missing_ok=True)
