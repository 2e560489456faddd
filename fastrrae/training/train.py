"""Train a run, or continue a finished one: check everything first, then hand over to a session."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from ..data import Dataset
from ..errors import InputError
from ..models import Autoencoder, Penalty
from ..models.build import Part
from ..objectives.objective import ReconstructionLoss
from ..processes import is_main, notice_lost_processes, on_main
from ..run_config import RunConfig, flat_fields, without_place
from ..run_folder import RunFolder
from .callbacks import Callback
from .checkpoint_store import open_checkpoints
from .mesh import data_devices, make_mesh
from .own_parts import Optimiser, OwnParts
from .parent import Parent, describe_parent, recorded_parent
from .resolve import recorded_data, resolve_config
from .restore import restore_final
from .session import Session
from .watch import Watch


def train(
    config: RunConfig,
    dataset: Dataset,
    out: str | Path | RunFolder,
    *,
    init: str | Path | RunFolder | None = None,
    overwrite: bool = False,
    resume: bool | Literal["auto"] = False,
    model: Part | None = None,
    encoder: Part | None = None,
    decoder: Part | None = None,
    bottleneck: Part | None = None,
    reconstruction: ReconstructionLoss | None = None,
    penalties: Mapping[str, Penalty] | None = None,
    optimiser: Optimiser | None = None,
    callbacks: Sequence[Callback] = (),
    watch: Watch | None = None,
    quiet: bool = False,
) -> Autoencoder:
    """Train what `config` describes on `dataset`, leave the run in the folder `out`, return the model for inference.

    The same configuration, versions and hardware give the same bits, but for GPUs, where XLA may choose other routines
    from run to run. An own `model`, `encoder`, `decoder`, `bottleneck`, `reconstruction` loss, `penalties` or
    `optimiser` takes the place of what the configuration describes, and gets all that the built-in ones get;
    `OwnParts` says what each must be.

    Args:
        config: the whole configuration.
        dataset: see `load_dataset` and `Dataset`. With a validation split, the error on it is measured during training
            (`training.validate_every`, `training.stop_after`).
        out: the run folder. A folder that exists is an error, unless it is to be overwritten or resumed.
        init: a finished run whose parameters this one starts with, for fine-tuning, perhaps on other data. The networks
            must be the same; the optimiser starts from zero moments. The run is recorded as the parent of the new one.
        overwrite: replace a run that is there.
        resume: continue from the newest checkpoint, with the configuration, data and parts that the run was started
            with, perhaps on other devices. A finished run is left as it is. "auto" starts the run if there is none.
        callbacks: called at each log line, validation and checkpoint, and at the end.
        watch: a profile of some steps, and what the speed is compared with.
        quiet: show no progress.

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
    _require_dataset(dataset)
    parts = OwnParts(model, encoder, decoder, bottleneck, reconstruction, penalties or {}, optimiser)
    folder = _folder(out)
    resume = folder.config.is_file() if resume == "auto" else resume
    parent = {} if init is None else describe_parent(_folder(init), "parameters")
    return _train(config, dataset, folder, parts, parent, overwrite, resume, callbacks, watch or Watch(), quiet)


def continue_training(
    run: str | Path | RunFolder,
    dataset: Dataset,
    out: str | Path | RunFolder,
    *,
    steps: int,
    overwrite: bool = False,
    resume: bool | Literal["auto"] = False,
    callbacks: Sequence[Callback] = (),
    quiet: bool = False,
    **own_parts: Any,
) -> Autoencoder:
    """Train a finished run for more steps, as a new run in the folder `out`; the finished one stays as it is.

    Parameters, the optimiser's moments, random streams, the order of the samples and the count of steps go on where
    they ended: with a constant learning rate, the bits are those of one long run. A learning-rate schedule is that of
    the whole length, old and new steps together. An alignment is not repeated; nor is a search for the rank, unless it
    had not come to an end.

    Args:
        run: the finished run.
        dataset: the one that it was trained on.
        out: the folder of the new run.
        steps: how many more.
        overwrite: as in `train`; so `resume`, `callbacks` and `quiet`.
        **own_parts: those of `train` that the run was trained with (`encoder`, `optimiser`, ...).

    Example:
        >>> model = continue_training("runs/mine", dataset, "runs/mine-longer", steps=500)
    """
    _require_dataset(dataset)
    if steps < 1:
        raise InputError(f"`steps` must be at least 1: how many more steps are taken; got {steps}")
    source, folder = _folder(run), _folder(out)
    parent = describe_parent(source, "state")
    source.require_same_data(dataset)
    config = source.load_config()
    config = replace(config, training=replace(config.training, steps=int(parent["step"]) + steps), parent={})
    parts = OwnParts(**{"penalties": {}, **own_parts})
    resume = folder.config.is_file() if resume == "auto" else resume
    return _train(config, dataset, folder, parts, parent, overwrite, resume, callbacks, Watch(), quiet)


def _train(
    config: RunConfig,
    dataset: Dataset,
    folder: RunFolder,
    parts: OwnParts,
    parent: Parent,
    overwrite: bool,
    resume: bool,
    callbacks: Sequence[Callback],
    watch: Watch,
    quiet: bool,
) -> Autoencoder:
    if parent and parent["run"] == folder.place:
        raise InputError(f"`out` must be another folder than that of the run to start from; got {folder.root} for both")
    watch.check()
    mesh = make_mesh(config.sharding)
    config = replace(config, data=recorded_data(config.data, dataset))  # with the grammar, of strings
    model = parts.build(config, dataset.sample_shape)
    config = resolve_config(config, dataset, parts=parts, model=model, data_devices=data_devices(mesh))
    if resume:
        config = replace(config, parent=recorded_parent(folder, parent))
        _require_same(folder, config, dataset)
        if folder.summary.exists() and restore_final(model, folder, report=_print_on_main):
            return model
    else:
        config = replace(config, parent=parent)
        on_main(lambda: folder.refuse_existing(overwrite=overwrite))
    with ExitStack() as stack:
        on_main(lambda: stack.enter_context(folder.exclusive()))
        if resume:
            on_main(folder.reopen)
        else:
            on_main(lambda: folder.create(config, dataset, overwrite=overwrite))
        settings = config.training
        store = stack.enter_context(
            open_checkpoints(folder, keep_last=settings.keep_last, keep_best=settings.keep_best)
        )
        stack.enter_context(notice_lost_processes())
        told = callbacks if is_main() else ()
        Session(config, dataset, folder, store, mesh, parts, model, told, quiet, watch).run(resume=resume)
    return model


def _require_dataset(dataset: Any) -> None:
    if not isinstance(dataset, Dataset):
        raise InputError(
            f"`dataset` must be a Dataset; got {type(dataset).__name__}. `Dataset.from_arrays(x)` makes one"
        )


def _folder(run: str | Path | RunFolder) -> RunFolder:
    return run if isinstance(run, RunFolder) else RunFolder(Path(run))


def _require_same(folder: RunFolder, asked: RunConfig, dataset: Dataset) -> None:
    """Compare field by field, so that the message names what differs; devices, readers and places may."""
    stored = flat_fields(without_place(folder.load_config()))
    wanted = flat_fields(without_place(asked))
    names = [name for name in {**stored, **wanted} if stored.get(name) != wanted.get(name)]
    differences = [f"{name}: {stored.get(name)} stored, {wanted.get(name)} asked" for name in names]
    if differences:
        raise InputError(f"a run is resumed as it was started, and the configuration differs: {'; '.join(differences)}")
    folder.require_same_data(dataset)


def _print_on_main(message: str) -> None:
    if is_main():
        print(message)
