"""The devices of a run as a mesh: which axis holds what, and whether a batch fits on it."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh

from ..config import ShardingConfig
from ..errors import InputError
from ..models.svd_of_batch import DATA_AXIS

MODEL_AXIS = "model"


def make_mesh(config: ShardingConfig, devices: Sequence[Any] | np.ndarray | None = None) -> Mesh:
    """The mesh (data, model) that `config` describes, over `devices` (by default all of all processes).

    Neighbouring devices share the model axis, whose arrays are gathered in every layer. Where the devices are several
    TPU slices, the data axis goes through one slice after the other, as that of `create_hybrid_device_mesh`: the
    compiler then sums gradients and Gram matrices within each slice first, and each chip exchanges its part of the sums
    with the other slices.
    """
    devices = by_slice(jax.devices() if devices is None else devices)
    count, model = devices.size, config.model_devices
    _require_within_slices(devices, model, config.data_devices)
    if model < 1 or count % model:
        raise InputError(
            f"`sharding.model_devices` must divide the number of devices; got {model}, and there are {count}: choose "
            f"one of {', '.join(str(d) for d in range(1, count + 1) if count % d == 0)}"
        )
    data = count // model if config.data_devices is None else config.data_devices
    if data < 1 or data * model > count:
        raise InputError(
            f"`sharding.data_devices` times `sharding.model_devices` must be at most the number of devices, {count}; "
            f"got {data} x {model}. On CPU, XLA_FLAGS=--xla_force_host_platform_device_count=N makes N"
        )
    if data * model < count and jax.process_count() > 1:
        raise InputError(
            f"`sharding.data_devices` times `sharding.model_devices` must be all {count} devices where there are "
            f"several processes; got {data} x {model}"
        )
    return Mesh(devices[: data * model].reshape(data, model), (DATA_AXIS, MODEL_AXIS), axis_types=(AxisType.Auto,) * 2)


def slice_of(device: Any) -> int:
    """The TPU slice of a device; 0 where there are none."""
    return int(getattr(device, "slice_index", None) or 0)


def is_one_slice(mesh: Mesh) -> bool:
    """Whether all devices of a mesh are in one TPU slice, or there are none."""
    return len({slice_of(device) for device in mesh.devices.flat}) == 1


def by_slice(devices: Sequence[Any] | np.ndarray) -> np.ndarray:
    """The devices in their order, but those of one slice next to each other."""
    flat = list(np.asarray(devices).reshape(-1))
    ordered = np.empty(len(flat), object)
    ordered[:] = sorted(flat, key=slice_of)
    return ordered


def _require_within_slices(devices: np.ndarray, model: int, data: int | None) -> None:
    sizes = Counter(map(slice_of, devices))
    if len(sizes) > 1 and any(size % max(1, model) for size in sizes.values()):
        raise InputError(
            f"`sharding.model_devices` must divide the number of devices of each slice, {min(sizes.values())}, so that "
            f"weights are gathered within slices; got {model}"
        )
    if len(sizes) > 1 and data is not None and data * model != len(devices):
        raise InputError(
            f"`sharding.data_devices` times `sharding.model_devices` must be all {len(devices)} devices where there "
            f"are several slices; got {data} x {model}"
        )


def data_devices(mesh: Mesh) -> int:
    """Parts that a batch is cut into."""
    return mesh.shape[DATA_AXIS]


def require_divisible(batch_size: int, accumulate: int, parts: int) -> None:
    """Raise unless every (micro-)batch can be cut into equal `parts`."""
    unit = parts * accumulate
    if batch_size % unit:
        shared = f"the {parts} devices that share it" if parts > 1 else ""
        cut = f"`training.accumulate` = {accumulate}" if accumulate > 1 else ""
        of = " times ".join(filter(None, (shared, cut)))
        raise InputError(
            f"`training.batch_size` must be a multiple of {of}; got {batch_size}: the nearest batch sizes that fit are "
            f"{nearest_multiples(batch_size, unit)}"
        )


def nearest_multiples(value: int, of: int) -> str:
    """The multiples of `of` next to `value`, in words."""
    below = value // of * of
    return " and ".join(str(multiple) for multiple in (below, below + of) if multiple > 0)
