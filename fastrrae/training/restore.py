"""From a checkpoint to a model at inference."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from flax import nnx

from ..errors import InputError, first_line
from ..models import Autoencoder
from ..models.fitted_basis import FittedBasis
from ..run_folder import RunFolder
from .checkpoint import Checkpoint
from .checkpoint_store import open_checkpoints
from .state_arrays import flatten, unflatten

_MODEL = "variables/0/"
_AVERAGE = "average/"


def restore_final(model: Autoencoder, folder: RunFolder, report: Callable[[str], None] = print) -> bool:
    """Give `model` the final variables of a finished run and set it to inference; False if that checkpoint is damaged.

    Only the last checkpoint of a finished run has a fitted basis: an older one is not the trained model.
    """
    try:
        checkpoint = read_final(folder)
    except InputError as error:
        report(str(error))
        return False
    set_variables(model, checkpoint, folder)
    return True


def read_final(folder: RunFolder) -> Checkpoint:
    """The checkpoint of the last step of a finished run.

    Raises:
        InputError: it is missing or damaged; the message names the remedy.
    """
    step = int(folder.load_summary()["steps"])
    try:
        with open_checkpoints(folder, alone=True) as store:
            return store.restore(store.require_step(step))
    except InputError as error:
        reason: object = error
    except Exception as error:  # orbax and tensorstore have no common error for files that are damaged
        reason = error
    raise InputError(
        f"the final checkpoint (step {step}) of the finished run in {folder.root} is missing or damaged "
        f"({first_line(reason)}): continue the run with `resume`, which trains the last part again from the checkpoint "
        f"before it"
    ) from None


def restore_step(model: Autoencoder, folder: RunFolder, step: int | None) -> None:
    """Give `model` the variables of the checkpoint of one step, or of the newest whole one, and set it to inference."""
    if folder.copy is None and not folder.checkpoints.is_dir():
        raise InputError(f"the run in {folder.root} has no checkpoint yet")
    with open_checkpoints(folder, alone=True) as store:
        checkpoint = store.restore_newest() if step is None else store.restore(store.require_step(step))
        set_variables(model, checkpoint, folder)


def set_variables(model: Autoencoder, checkpoint: Checkpoint, folder: RunFolder) -> None:
    """Take the model's part of a checkpoint, with the average of its weights where there is one.

    Its random streams are left out: inference does not use them.
    """
    arrays = _of_model(checkpoint.arrays, nnx.state(model, nnx.RngState))
    try:
        set_arrays(model, arrays)
    except ValueError as error:
        raise InputError(f"the checkpoint in {folder.checkpoints} is of another model: {error}") from None


def variables_of(model: Autoencoder) -> Any:
    """All variables of a model that inference uses: all but its random streams."""
    return nnx.state(model, nnx.Not(nnx.RngState))


def set_arrays(model: Autoencoder, arrays: Mapping[str, Any]) -> None:
    """Give `model` the variables that `flatten(variables_of(model))` gave of another, and set it to inference.

    Raises ValueError with the first differences if names or shapes do not match.
    """
    nnx.update(model, unflatten(variables_of(model), dict(arrays)))
    bottleneck = model.bottleneck
    if isinstance(bottleneck, FittedBasis) and np.any(np.asarray(bottleneck.basis[...])):
        bottleneck.set_basis(bottleneck.basis[...])  # zeros until it is fitted
    model.eval()


def _of_model(arrays: Mapping[str, Any], streams: Any) -> dict[str, Any]:
    """The arrays of the model but its random streams, by their names in it; averages of weights where there are any."""
    named = {
        name.removeprefix(prefix): array
        for prefix in (_MODEL, _AVERAGE)  # in this order: averages take the place of weights
        for name, array in arrays.items()
        if name.startswith(prefix)
    }
    random = flatten(streams).keys()
    return {name: array for name, array in named.items() if name not in random}
