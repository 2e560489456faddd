"""A training run from start to finish: batches, steps, metrics, checkpoints, and at the end the fitted basis."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import jax
from flax import nnx

from ..config import RunConfig
from ..data import Dataset, ordered_batches, training_batches
from ..errors import InputError, TrainingDiverged
from ..latent import describe_latent, save_latent
from ..models import Autoencoder, build_model
from ..models.basis import LatentSpectrum
from ..objectives import make_objective
from ..resolve import resolve_config
from ..run_folder import RunFolder, write_json
from ..versions import describe_environment
from .checkpoint import Checkpoint, CheckpointStore
from .forward import make_forward
from .host_memory import keep_freed_memory
from .metrics import MetricsLog, read_metrics
from .optimiser import make_optimiser
from .progress import show_progress
from .state_arrays import digest, from_arrays, to_arrays
from .step import Metrics, Step, TrainState, finish_training, start_training


def train(
    config: RunConfig, dataset: Dataset, out: str | Path | RunFolder, *, overwrite: bool = False, resume: bool = False
) -> Autoencoder:
    """Train what `config` describes on `dataset`, leave the run in the folder `out`, return the model for inference.

    The same configuration, versions and hardware give the same bits. An existing folder is an error, unless it is to be
    overwritten or resumed; resuming continues from the newest checkpoint with the configuration and data that the run
    was started with, and leaves a finished run as it is.

    Raises:
        InputError: the configuration does not fit the data, or the folder cannot be used.
        TrainingDiverged: the loss or a gradient is not finite; the last good checkpoint is kept.
    """
    keep_freed_memory()
    folder = out if isinstance(out, RunFolder) else RunFolder(Path(out))
    config = resolve_config(config, dataset)
    model = build_model(config.model, dataset.sample_shape, seed=config.training.seed)
    if resume:
        _require_same(folder.load_config(), config)
        folder.require_same_data(dataset)
    else:
        folder.create(config, dataset, overwrite=overwrite)
    with CheckpointStore(folder.checkpoints) as store:
        session = _Session(config, dataset, folder, store)
        session.run(model, resume=resume)
    return model


def _require_same(stored: RunConfig, asked: RunConfig) -> None:
    """Compare part by part, so that the message names what differs."""
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
    started: float = field(default_factory=time.perf_counter)  # moved back by what earlier sessions took
    first_step_seconds: float | None = None  # of this session: tracing, compiling, and the first batch

    @property
    def steps(self) -> int:
        assert self.config.training.steps is not None  # resolved
        return self.config.training.steps

    def run(self, model: Autoencoder, *, resume: bool) -> None:
        """Train `model` from its start or from the newest checkpoint, to the end; it comes back ready for inference."""
        settings, data = self.config.training, self.dataset
        transformation = make_optimiser(settings, self.steps)
        forward = make_forward(bfloat16=settings.precision == "bfloat16", remat=settings.remat)
        objective = make_objective(self.config.objective)
        state, step = start_training(model, transformation, objective, forward=forward, accumulate=settings.accumulate)
        batches = training_batches(
            data.train, data.normalisation, batch_size=settings.batch_size, seed=settings.seed, steps=self.steps
        )
        first = 0
        if resume and self.store.latest_step is not None:
            checkpoint = self.store.restore_latest()
            first = checkpoint.step
            state = from_arrays(state, checkpoint.arrays)
            batches.set_state(checkpoint.progress["batches"])
            self.started -= checkpoint.progress["seconds"]
        state = self._iterate(state, step, batches, first)
        finish_training(model, state)
        spectrum = model.fit_basis(ordered_batches(data.train, data.normalisation))
        model.eval()
        if not self.folder.summary.exists():
            self._finish(model, state, batches, spectrum)

    def _save(self, step: int, state: TrainState, batches: Any) -> None:
        progress = {"batches": batches.get_state(), "seconds": time.perf_counter() - self.started}
        self.store.save(Checkpoint(step, to_arrays(state), progress))

    def _iterate(self, state: TrainState, step: Step, batches: Any, first: int) -> TrainState:
        settings = self.config.training
        if first == self.steps:
            return state
        log = MetricsLog(self.folder.metrics, after_step=first)
        progress = show_progress(self.steps, start_step=first)
        clock, logged = time.perf_counter(), first
        try:
            for number in range(first + 1, self.steps + 1):
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
                    progress.update(row)
                if number % settings.checkpoint_every == 0 and number < self.steps:
                    self._require_sound(state)
                    self._save(number, state, batches)
        finally:
            progress.close()
            log.close()
        return state

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

    def _finish(self, model: Autoencoder, state: TrainState, batches: Any, spectrum: LatentSpectrum) -> None:
        """Leave the final checkpoint, with the fitted basis, and the summary."""
        state.variables[0] = nnx.state(model)
        if self.store.latest_step != self.steps:
            self._save(self.steps, state, batches)
        save_latent(self.folder.latent, describe_latent(model, self.dataset, spectrum))
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
        self.store.wait()  # a summary says that the run is finished: never before its last checkpoint is on disk
        write_json(self.folder.summary, summary)
        self.folder.unfinished.unlink(missing_ok=True)
