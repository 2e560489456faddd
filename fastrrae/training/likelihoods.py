"""Which output a reconstruction loss needs, and which values of the data it can be used with."""

from dataclasses import replace
from typing import Literal

import numpy as np

from ..config import NetworkConfig
from ..data import Dataset
from ..data.samples import blocks
from ..errors import InputError
from ..models import Autoencoder
from ..run_config import RunConfig

_ROUNDING = 1e-5  # of normalised values
_RANGES = {"sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0)}


def network_of(config: RunConfig) -> NetworkConfig:
    """The section of the networks, with the output that `auto` stands for.

    Raises:
        InputError: the reconstruction loss needs another output than the one that is asked for.
    """
    network, by_likelihood = config.network, config.objective.reconstruction == "cross-entropy"
    if by_likelihood and network.output not in ("auto", "sigmoid"):
        raise InputError(
            f"`network.output` must be sigmoid (or auto) for `objective.reconstruction` cross-entropy, whose "
            f"reconstructions are probabilities; got {network.output}"
        )
    output: Literal["auto", "none", "sigmoid", "tanh"] = "sigmoid" if by_likelihood else network.output
    return replace(network, output=output)


def complete(model: Autoencoder, config: RunConfig) -> Autoencoder:
    """The model with what the reconstruction loss needs of it: a variance, for gaussian."""
    if config.objective.reconstruction == "gaussian" and model.log_variance is None:
        model.learn_variance()
    if config.objective.reconstruction == "cross-entropy" and model.output != "sigmoid":
        raise InputError(
            f"`model` must have a sigmoid output (`Autoencoder(..., output='sigmoid')`) for `objective.reconstruction` "
            f"cross-entropy; got {model.output}"
        )
    return model


def require_values(output: str, dataset: Dataset) -> None:
    """Raise unless a model with this output activation can give the normalised values of the training set."""
    if output not in _RANGES:
        return
    low, high = _RANGES[output]
    found = _normalised_range(dataset, low, high)
    if found[0] < low - _ROUNDING or found[1] > high + _ROUNDING:
        raise InputError(
            f"`network.output` {output} gives values from {low:g} to {high:g}, also where `objective.reconstruction` "
            f"cross-entropy asks for it, and the normalised training values are from {found[0]:.4g} to {found[1]:.4g}: "
            f"set `data.normalise` to unit, or choose another output and loss"
        )


def _normalised_range(dataset: Dataset, low: float, high: float) -> tuple[float, float]:
    """The least and the greatest value; bytes are read only if their type does not already say that they fit."""
    apply = dataset.normalisation.apply
    dtype, width = np.dtype(dataset.train.dtype), dataset.sample_shape[-1]
    if dtype == np.uint8:
        ends = apply(np.array([[0] * width, [255] * width], dtype))
        if ends.min() >= low - _ROUNDING and ends.max() <= high + _ROUNDING:
            return float(ends.min()), float(ends.max())
    ranges = [(block.min(), block.max()) for block in map(apply, blocks(dataset.train))]
    return float(min(least for least, _ in ranges)), float(max(most for _, most in ranges))
