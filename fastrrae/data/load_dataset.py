"""From a configuration to a data set. A new source is one more case here."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from functools import partial

from ..buckets import as_address
from ..config import DataConfig
from ..errors import InputError
from .array_files import load_array
from .dataset import Dataset
from .diffusion import load_diffusion
from .digits import load_digits
from .gaussians import load_gaussians
from .mnist import load_mnist
from .normalisation import Scaling
from .pulse import load_pulse
from .records import is_prepared, load_records
from .staged_records import staged_split
from .staging import GIB, local_data

_DEFAULT_SCALING: dict[str, Scaling] = {
    "gaussians": "standard",
    "pulse": "standard",
    "diffusion": "standard",
    "digits": "unit",
    "mnist": "unit",
    "records": "unit",
}


def load_dataset(config: DataConfig) -> Dataset:
    """Read or make the data set that `config` describes.

    Raises:
        InputError: it is missing, damaged, or not what the configuration says; fields are named `data.NAME`.
    """
    with _naming_fields():
        dataset = _load(replace(config, data=local_data(config.data)), as_address(config.data or ""))
        if config.source != "array":  # its own split takes care of it
            dataset = dataset.with_validation(config.validation_fraction, config.split_seed)
        if config.train_count is not None:
            dataset = dataset.first(config.train_count)
        return replace(dataset, loaded_from=config)


def _load(config: DataConfig, address: str | None) -> Dataset:
    if config.source == "own":
        raise InputError(
            "the data set was handed over in Python and cannot be loaded from its configuration: hand it over again "
            "(`fastrrae.evaluation.evaluate(run, dataset)`)"
        )
    if config.source == "array":
        return load_array(config)
    scaling = _DEFAULT_SCALING[config.source] if config.normalise == "auto" else config.normalise
    match config.source:
        case "gaussians":
            return load_gaussians(scaling)
        case "pulse":
            return load_pulse(scaling)
        case "diffusion":
            return load_diffusion(scaling)
        case "digits":
            return load_digits(scaling)
        case "mnist" if not is_prepared(config.data):
            return load_mnist(config.data, scaling)
        case _:
            limit = None if config.staging_gib is None else config.staging_gib * GIB
            return load_records(
                config.data, scaling, None if address is None else partial(staged_split, address, limit)
            )


@contextmanager
def _naming_fields() -> Iterator[None]:
    """The parts below name their own arguments; here those are fields of the section `data`."""
    names = {field.name for field in fields(DataConfig)}
    try:
        yield
    except InputError as error:
        message = re.sub(r"`(\w+)`", lambda name: f"`data.{name[1]}`" if name[1] in names else name[0], str(error))
        raise type(error)(message) from None
