"""From a configuration to a data set. A new source is one more case here."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from functools import partial

from ..buckets import as_address
from ..config import DataConfig
from ..errors import InputError
from .array_files import load_array
from .coloured_shapes import load_coloured_shapes
from .dataset import Dataset
from .diffusion import load_diffusion
from .digits import load_digits
from .expressions import load_expressions
from .gaussians import load_gaussians
from .mnist import load_mnist
from .molecules import load_molecules
from .normalisation import Scaling
from .pulse import load_pulse
from .records import is_prepared, load_records
from .smooth_map import load_smooth_map
from .staged_records import staged_split
from .staging import GIB, local_data
from .strings import load_strings, with_grammar_text

_DEFAULT_SCALING: dict[str, Scaling] = {
    "gaussians": "standard",
    "pulse": "standard",
    "diffusion": "standard",
    "smooth-map-8": "unit",
    "smooth-map-16": "unit",
    "coloured-shapes": "unit",
    "digits": "unit",
    "mnist": "unit",
    "records": "unit",
}
_GENERATED: dict[str, Callable[[Scaling], Dataset]] = {
    "gaussians": load_gaussians,
    "pulse": load_pulse,
    "diffusion": load_diffusion,
    "smooth-map-8": partial(load_smooth_map, 8),
    "smooth-map-16": partial(load_smooth_map, 16),
    "coloured-shapes": load_coloured_shapes,
    "digits": load_digits,  # which scikit-learn has
}
# Those whose samples are scaled and split as other parts of the section say.
_BY_WHOLE_SECTION = {
    "array": load_array,
    "strings": load_strings,
    "expressions": load_expressions,
    "molecules": load_molecules,
}


def load_dataset(config: DataConfig) -> Dataset:
    """Read or make the data set that `config` describes.

    Raises:
        InputError: it is missing, damaged, or not what the configuration says; fields are named `data.NAME`.
    """
    with _naming_fields():
        config = with_grammar_text(config)
        dataset = _load(replace(config, data=local_data(config.data)), as_address(config.data or ""))
        if config.source not in ("array", "strings", "molecules"):  # whose own split takes care of it
            dataset = dataset.with_validation(config.validation_fraction, config.split_seed)
        if config.train_count is not None:
            dataset = dataset.first(config.train_count)
        if dataset.codec is not None:
            config = replace(config, grammar=dataset.codec.grammar.text)
        return replace(dataset, loaded_from=config)


def _load(config: DataConfig, address: str | None) -> Dataset:
    if config.source == "own":
        raise InputError(
            "the data set was handed over in Python and cannot be loaded from its configuration: hand it over again "
            "(`fastrrae.evaluation.evaluate(run, dataset)`)"
        )
    if config.pad_to is not None and (config.source != "mnist" or is_prepared(config.data)):
        raise InputError("`data.pad_to` is for the IDX files of MNIST and Fashion-MNIST alone")
    if config.source in _BY_WHOLE_SECTION:
        return _BY_WHOLE_SECTION[config.source](config)
    scaling = _DEFAULT_SCALING[config.source] if config.normalise == "auto" else config.normalise
    if config.source in _GENERATED:
        return _GENERATED[config.source](scaling)
    if config.source == "mnist" and not is_prepared(config.data):
        return load_mnist(config.data, scaling, config.pad_to)
    limit = None if config.staging_gib is None else config.staging_gib * GIB
    return load_records(config.data, scaling, None if address is None else partial(staged_split, address, limit))


@contextmanager
def _naming_fields() -> Iterator[None]:
    """The parts below name their own arguments; here those are fields of the section `data`."""
    names = {field.name for field in fields(DataConfig)}
    try:
        yield
    except InputError as error:
        message = re.sub(r"`(\w+)`", lambda name: f"`data.{name[1]}`" if name[1] in names else name[0], str(error))
        raise type(error)(message) from None
