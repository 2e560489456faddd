"""Features of Inception-v3, the network of the usual FID, from weights that the user has on disk."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from ..data import Samples
from ..errors import InputError
from ..models.inference import infer
from .inception_network import DIMENSIONS, InceptionNetwork, Unit, Variant

_BATCH = 32
_NORMALISATION_EPSILON = 1e-3
_PARTS = ("conv.weight", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var")
_FID_CLASSES = 1008  # of the network whose weights the original FID uses; PyTorch's own have 1000


@dataclass(frozen=True)
class Inception:
    """Pooled features (2048) as a `FeatureExtractor`. Images are grey or colour, of any size, resized bilinearly."""

    network: InceptionNetwork
    variant: Variant
    sha256: str  # of the weights
    value_range: tuple[float, float] = (0.0, 255.0)  # of the samples
    dimensions: int = DIMENSIONS

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray], path: Path) -> "Inception":
        """The network with weights by their names in PyTorch; every name and shape is checked."""
        fid = "fc.weight" in arrays and len(arrays["fc.weight"]) == _FID_CLASSES
        variant: Variant = "fid" if fid else "torchvision"
        network = InceptionNetwork(variant)
        hasher = hashlib.sha256(variant.encode())
        for name, unit in sorted(network.units()):
            parts = _parts(arrays, name, unit, path)
            for part in parts:
                hasher.update(np.ascontiguousarray(part).tobytes())
            _fold(unit, *parts)
        return cls(network, variant, hasher.hexdigest())

    def for_range(self, low: float, high: float) -> "Inception":
        """The same for samples whose values lie between `low` and `high`."""
        return replace(self, value_range=(low, high))

    def __call__(self, samples: Samples) -> np.ndarray:
        """Features of images (count, height, width, 1 or 3)."""
        self.require_sample_shape(tuple(samples.shape[1:]))
        return infer(self.network, "features_of_images", samples, prepare=self._scaled, batch_size=_BATCH)

    def require_sample_shape(self, sample_shape: tuple[int, ...]) -> None:
        """Raise unless samples are images of one or three channels."""
        if len(sample_shape) != 3 or sample_shape[-1] not in (1, 3):
            raise InputError(
                f"`features` must fit the data: Inception takes images (height, width, 1 or 3 channels); got "
                f"{sample_shape}"
            )

    def _scaled(self, images: np.ndarray) -> np.ndarray:
        """Values from -1 to 1."""
        low, high = self.value_range
        return (2 * (np.asarray(images, np.float32) - np.float32(low)) / np.float32(high - low) - 1).astype(np.float32)

    def describe(self) -> dict[str, Any]:
        """Which weights."""
        kind = f"Inception-v3, pooled, weights of {self.variant}"
        return {"kind": kind, "dimensions": DIMENSIONS, "sha256": self.sha256}


def is_inception(arrays: dict[str, np.ndarray]) -> bool:
    """Whether a file's arrays have the names of Inception's weights."""
    return "Conv2d_1a_3x3.conv.weight" in arrays


def _parts(arrays: dict[str, np.ndarray], name: str, unit: Unit, path: Path) -> list[np.ndarray]:
    """The weights of one unit: kernel, then scale, offset, mean and variance of its normalisation."""
    height, width, inputs, outputs = unit.kernel[...].shape
    shapes = ((outputs, inputs, height, width), *[(outputs,)] * 4)
    found = []
    for part, shape in zip(_PARTS, shapes, strict=True):
        array = arrays.get(f"{name}.{part}")
        if array is None or array.shape != shape:
            got = "is missing" if array is None else f"has shape {array.shape}"
            raise InputError(f"{name}.{part} in {path} {got}; Inception-v3 has {shape} there")
        found.append(np.asarray(array, np.float32))
    return found


def _fold(unit: Unit, weight: np.ndarray, scale, offset, mean, variance) -> None:
    """Set kernel and bias to `scale (conv(x) - mean) / sqrt(variance + eps) + offset`."""
    factor = scale / np.sqrt(variance + _NORMALISATION_EPSILON)
    unit.kernel.set_value(jnp.asarray(weight.transpose(2, 3, 1, 0) * factor))
    unit.bias.set_value(jnp.asarray(offset - mean * factor))
