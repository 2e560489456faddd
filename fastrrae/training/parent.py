"""Where a run starts that goes on from another: with the other's parameters, or with its whole training state.

The parent is recorded in the new run's configuration, so that nobody takes the new run for one of that configuration
alone.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from flax import nnx

from ..errors import InputError
from ..models import Autoencoder
from ..processes import on_main
from ..run_config import RunConfig
from ..run_folder import RunFolder
from .checkpoint_store import open_checkpoints
from .restore import read_final, set_variables
from .sharding import place_as
from .state_arrays import layout_of, unflatten
from .step import TrainState

Parent = Mapping[str, str | int]
"""As recorded in a configuration: `run` (the folder), `takes`, `step` and `parameters_sha256` of the parent."""

Takes = Literal["parameters", "state"]


def describe_parent(folder: RunFolder, takes: Takes) -> Parent:
    """The record of a finished run as the parent of another.

    Raises:
        InputError: it has not finished.
    """
    folder.require_finished()
    summary = folder.load_summary()
    return {
        "run": folder.place,
        "takes": takes,
        "step": summary["steps"],
        "parameters_sha256": summary["parameters_sha256"],
    }


def recorded_parent(folder: RunFolder, asked: Parent) -> Parent:
    """The parent that the run in `folder` was started from, which is the one that is asked for, if one is."""
    stored = folder.load_config().parent
    differing = [name for name in ("run", "takes") if asked and asked[name] != stored.get(name)]
    if differing:
        raise InputError(
            f"a run is resumed as it was started, and what it was started from differs: "
            f"{stored.get('run', 'nothing')} ({stored.get('takes', 'fresh')}) stored, {asked['run']} "
            f"({asked['takes']}) asked"
        )
    return stored


def planned_steps(config: RunConfig) -> int:
    """The length by which a model plans what happens once: a continued run has all of that behind it."""
    assert config.training.steps is not None  # resolved
    return int(config.parent["step"]) if config.parent.get("takes") == "state" else config.training.steps


def start_from(parent: Parent, model: Autoencoder, state: TrainState, folder: RunFolder) -> tuple[int, TrainState]:
    """The steps taken and the state to start with, of a new run in `folder`; `state` is that of a run without parent.

    Raises:
        InputError: the parent is not there any more, has been trained again, or is of another model.
    """
    source = RunFolder(Path(str(parent["run"])))
    if describe_parent(source, "state")["parameters_sha256"] != parent["parameters_sha256"]:
        raise InputError(
            f"the run in {source.root} has been trained again since this one was started from it: start this one again"
        )
    if parent["takes"] == "state":
        on_main(lambda: shutil.copyfile(source.metrics, folder.metrics))
        return int(parent["step"]), _whole_state(source, int(parent["step"]), state)
    set_variables(model, read_final(source), source)
    model.train()
    state.variables[0] = place_as(nnx.state(model), state.variables[0])
    return 0, state


def _whole_state(source: RunFolder, step: int, state: TrainState) -> TrainState:
    with open_checkpoints(source, alone=True) as store:
        return unflatten(state, store.restore(store.require_step(step), layout_of(state)).arrays)
