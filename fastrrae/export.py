"""A trained model, or a part of it, as a program in one file that JAX runs without this package: StableHLO."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array, export

from .atomic_files import replacing
from .data import Normalisation
from .errors import BasisNotFitted, InputError, first_line
from .models import Autoencoder

ExportedPart = Literal["encoder", "decoder", "reconstruct"]
PLATFORMS = ("cpu", "cuda", "tpu")
SUFFIX = ".stablehlo"


def export_program(
    path: str | Path,
    model: Autoencoder,
    normalisation: Normalisation,
    sample_shape: tuple[int, ...],
    part: ExportedPart,
    *,
    batch_size: int | None = None,
) -> None:
    """Write a part of a model, with its parameters and its normalisation, as a program for CPU, GPU and TPU.

    Args:
        path: the file, which ends in .stablehlo; it is there whole or not at all.
        model: at inference.
        normalisation: the normalisation of the data; inputs and outputs are in the units of the data.
        sample_shape: the shape of one sample.
        part: encoder, samples to coefficients; decoder, coefficients to samples; reconstruct, samples to samples. All
            are float32.
        batch_size: how many samples the program takes at a time; by default any number from 1 on.

    Raises:
        InputError: an argument is not one of these, flatbuffers is not installed, float32 cannot hold the values of the
            data, or a network of the user's own cannot be exported.
    """
    path = Path(path)
    if path.suffix != SUFFIX:
        raise InputError(f"`path` must end in {SUFFIX}; got {path}")
    if not path.parent.is_dir():
        raise InputError(f"`path` is in the folder {path.parent}, which does not exist")
    _require_flatbuffers()
    exported = _export(model, normalisation, sample_shape, part, batch_size)
    with replacing(path) as file:
        file.write(exported.serialize())


def _export(
    model: Autoencoder,
    normalisation: Normalisation,
    sample_shape: tuple[int, ...],
    part: ExportedPart,
    batch_size: int | None,
) -> export.Exported:
    if part not in get_args(ExportedPart):
        raise InputError(f"`part` must be one of {', '.join(get_args(ExportedPart))}; got {part!r}")
    if batch_size is not None and batch_size < 1:
        raise InputError(f"`batch_size` must be at least 1, or absent for any; got {batch_size}")
    if normalisation.needs_float64:
        raise InputError(
            "the values of the data are so far from zero, compared with their spread, that float32 cannot tell them "
            "apart, and an exported program computes in float32: subtract a constant from the data, and train again"
        )
    taken = (model.bottleneck.rank,) if part == "decoder" else tuple(sample_shape)
    batch = export.symbolic_shape("batch")[0] if batch_size is None else batch_size
    argument = jax.ShapeDtypeStruct((batch, *taken), jnp.float32)
    try:
        return export.export(jax.jit(_program(model, normalisation, part)), platforms=PLATFORMS)(argument)
    except BasisNotFitted:
        raise
    except Exception as error:  # JAX has no common error for what a batch of any size, or a platform, does not allow
        remedy = "" if batch_size else "; give `batch_size` if the networks need a fixed one"
        raise InputError(f"the {part} of this model cannot be exported ({first_line(error)}){remedy}") from error


def _program(model: Autoencoder, normalisation: Normalisation, part: ExportedPart) -> Callable[[Array], Array]:
    """`part` as a function of one array, in the units of the data, with the model's variables as constants."""
    graph, random, variables = nnx.split(model, nnx.RngState, ...)
    constants = jax.tree.map(lambda array: jnp.asarray(np.asarray(array)), variables)  # on no particular devices

    def samples(values: Array) -> Array:
        return normalisation.invert_on_device(values.astype(jnp.float32))

    def program(x: Array) -> Array:
        merged = nnx.merge(graph, random, constants)
        if part == "decoder":
            return samples(merged.decode(x))
        coefficients = merged.coefficients(normalisation.apply_on_device(x))
        return coefficients if part == "encoder" else samples(merged.decode(coefficients))

    return program


def _require_flatbuffers() -> None:
    try:
        import flatbuffers  # noqa: F401  (JAX imports it when a program is written or read)
    except ImportError:
        raise InputError(
            'exporting a program needs flatbuffers: install it with `pip install "fastrrae[export]"`'
        ) from None
