"""A user's own samples: one array in a .npy file, or a training and perhaps a test array in a .npz file."""

import zipfile
from pathlib import Path

import numpy as np

from ..config import DataConfig
from ..errors import InputError
from .dataset import Dataset, Scaling, fit_normalisation
from .holdout import hold_out

_AXES = {"vector": 1, "signal": 2, "image": 3}


def load_array(config: DataConfig, scaling: Scaling = "standard") -> Dataset:
    """Samples along the first axis of a real array.

    A .npz file may hold "train" and "test"; one array alone (in either format) is split at random, by a fixed seed,
    with `config.test_fraction` held out.
    """
    if config.data is None:
        raise InputError("the array recipe needs --data FILE, a .npy or .npz file with samples along its first axis")
    path = Path(config.data)
    arrays = {name: _shaped(values, config, f"{path}:{name}") for name, values in _read(path).items()}
    if set(arrays) == {"train", "test"}:
        train, test = arrays["train"], arrays["test"]
        if train.shape[1:] != test.shape[1:]:
            raise InputError(
                f"train and test samples in {path} differ in shape: {train.shape[1:]} and {test.shape[1:]}"
            )
    elif len(arrays) == 1:
        samples = next(iter(arrays.values()))
        train, test = (samples[indices] for indices in hold_out(len(samples), config.test_fraction))
    else:
        raise InputError(f'{path} must hold one array, or two named "train" and "test"; it holds {sorted(arrays)}')
    return Dataset(train, {"test": test}, fit_normalisation(train, scaling, None))


def _read(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise InputError(f"--data must be a .npy or .npz file; {path} is not a file")
    try:
        loaded = np.load(path, allow_pickle=False)
        return {"array": loaded} if isinstance(loaded, np.ndarray) else {name: loaded[name] for name in loaded.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is not a readable .npy or .npz file of numbers: {error}") from None


def _shaped(values: np.ndarray, config: DataConfig, name: str) -> np.ndarray:
    """Samples of a supported kind and type, with the channel axis that `layout` asks for."""
    if values.dtype == np.bool_ or not np.issubdtype(values.dtype, np.number) or np.iscomplexobj(values):
        raise InputError(f"{name} must hold real numbers; got {values.dtype}")
    if values.ndim < 2:
        raise InputError(
            f"{name} must have samples along its first axis and values along the others; got {values.shape}"
        )
    axes = _AXES.get(config.layout, values.ndim - 1)
    if axes == values.ndim and axes > 1:
        values = values[..., None]
    if axes != values.ndim - 1 or axes > 3:
        raise InputError(
            f"samples of {name} have shape {values.shape[1:]}, which does not fit --layout {config.layout}: a vector "
            f"is (D,), a signal (T,) or (T, C), an image (H, W) or (H, W, C)"
        )
    finite = np.isfinite(values).reshape(len(values), -1).all(axis=1)
    if not finite.all():
        bad = np.flatnonzero(~finite)
        raise InputError(f"{name} has NaN or infinity in {len(bad)} of {len(values)} samples, first in sample {bad[0]}")
    return values.astype(np.float32) if values.dtype.itemsize > 2 else values
