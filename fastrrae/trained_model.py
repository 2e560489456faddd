"""A trained model with its normalisation, and how it becomes a file of weights or a program, and is opened again."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .data import Normalisation, Samples
from .data.strings import codec_in
from .errors import InputError, first_line
from .export import ExportedPart, export_program
from .grammars import StringCodec
from .models import Autoencoder
from .models.build import Part
from .models.inference import infer
from .run_config import RunConfig, decode_config, encode_config, without_place
from .training.own_parts import OwnParts, rebuild
from .training.restore import set_arrays, variables_of
from .training.state_arrays import flatten
from .weights_file import read_weights, write_weights


@dataclass(frozen=True)
class TrainedModel:
    """What `load_weights` gives. Arrays in and out are in the units of the data, shaped (count, *sample_shape)."""

    config: RunConfig
    model: Autoencoder
    normalisation: Normalisation
    sample_shape: tuple[int, ...]

    @property
    def name(self) -> str:
        """What the model is called: the configured model, or the user's own."""
        own = self.config.own_parts.get("bottleneck")
        return self.config.model.name if own is None else own.split()[0].rpartition(".")[2]

    @property
    def rank(self) -> int:
        """Coefficients per sample."""
        return self.model.bottleneck.rank

    @cached_property
    def codec(self) -> StringCodec | None:
        """How the strings that the model is of are encoded as samples; None of samples that are no strings."""
        return codec_in(self.config.data, self.sample_shape)

    def strings(self, samples: np.ndarray) -> list[str]:
        """The strings of samples (count, *sample_shape), such as `sample`, `reconstruct` and `decode` return.

        Raises:
            InputError: the model is not one of strings, or these are no samples of it.

        Example:
            >>> run.strings(run.sample(3))  # of a run on the expressions
            ['x+sin(2)', '3/x*x', 'exp(1/x)']
        """
        if self.codec is None:
            raise InputError("`samples` are no strings: the data of this model has no grammar")
        return self.codec.decode(samples)

    def reconstruct(self, samples: ArrayLike | Samples) -> np.ndarray:
        """Samples encoded and decoded."""
        return self.decode(self.coefficients(samples))

    def coefficients(self, samples: ArrayLike | Samples) -> np.ndarray:
        """Coefficients (count, rank) of samples."""
        return infer(self.model, "coefficients", self._model_values(samples))

    def decode(self, coefficients: ArrayLike) -> np.ndarray:
        """Samples from coefficients (count, rank)."""
        coefficients = np.asarray(coefficients, np.float32)
        if coefficients.ndim != 2 or coefficients.shape[1] != self.rank:
            raise InputError(f"`coefficients` must have shape (count, {self.rank}); got {coefficients.shape}")
        if not np.isfinite(coefficients).all():
            raise InputError("`coefficients` must be finite numbers of float32; got NaN, infinity or values beyond it")
        return self.normalisation.invert(infer(self.model, "decode", coefficients))

    def export(self, path: str | Path, part: ExportedPart = "decoder", *, batch_size: int | None = None) -> None:
        """Write a part of the model as a program that JAX runs on CPU, GPU and TPU without this package.

        Its input and output are float32, in the units of the data; its results are those of `coefficients` (encoder),
        `decode` (decoder) and `reconstruct`, to rounding.

        Args:
            path: the file, which ends in .stablehlo.
            part: encoder, decoder or reconstruct.
            batch_size: how many samples the program takes at a time; by default any number from 1 on.

        Raises:
            InputError: an argument is none of these, flatbuffers is not installed (`pip install "fastrrae[export]"`),
                float32 cannot hold the values of the data, or a network of your own cannot be exported.

        Example:
            >>> run.export("decoder.stablehlo", part="decoder")
            >>> # in another process, with `pip install jax flatbuffers` alone:
            >>> decoder = jax.export.deserialize(bytearray(Path("decoder.stablehlo").read_bytes()))
            >>> samples = decoder.call(coefficients)  # (batch, rank) float32 -> (batch, *sample_shape)
        """
        export_program(path, self.model, self.normalisation, self.sample_shape, part, batch_size=batch_size)

    def save_weights(self, path: str | Path) -> None:
        """Write all variables of the model, named as in `encoder.convolutions.0.kernel`, and what rebuilds it.

        Besides the variables, the file holds the configuration (without the place of the data), the sample shape and
        the normalisation, as JSON: in the metadata of a .safetensors file, or in the array `fastrrae` of a .npz file.

        Args:
            path: the file, which ends in .safetensors (`pip install "fastrrae[export]"`) or .npz.

        Example:
            >>> run.save_weights("weights.safetensors")
            >>> load_weights("weights.safetensors").reconstruct(x)
        """
        arrays = {name: np.asarray(array) for name, array in _by_public_name(self.model).items()}
        facts = {
            "config": encode_config(without_place(self.config)),
            "sample_shape": list(self.sample_shape),
            "normalisation": self.normalisation.as_json(),
        }
        write_weights(path, arrays, facts)

    def _model_values(self, samples: ArrayLike | Samples) -> np.ndarray:
        samples = np.asarray(samples)
        if samples.shape[1:] != self.sample_shape:
            raise InputError(f"samples must have shape (count, *{self.sample_shape}); got {samples.shape}")
        if samples.dtype.kind == "f" and not np.isfinite(samples).all():
            raise InputError("samples must be finite numbers; got NaN or infinity")
        return self.normalisation.apply(samples)


def load_weights(
    path: str | Path,
    *,
    model: Part | None = None,
    encoder: Part | None = None,
    decoder: Part | None = None,
    bottleneck: Part | None = None,
) -> TrainedModel:
    """The trained model from a file that `save_weights` wrote; nothing in the file is run as code.

    Args:
        path: the .safetensors or .npz file.
        model: an `Autoencoder` to give the weights to, in place of the one that the file describes; or the user's own
            networks, as handed to `train`; likewise `encoder`, `decoder` and `bottleneck`.

    Raises:
        InputError: the file is damaged or was not written by `save_weights`, the names, shapes or types of its arrays
            are not those of the model (the message names them), or it needs your own networks, and they are not given.

    Example:
        >>> trained = load_weights("weights.safetensors")
        >>> trained.decode(trained.coefficients(x)).shape
        (64, 28, 28, 1)
    """
    path = Path(path)
    arrays, facts = read_weights(path)
    config, sample_shape, normalisation = _decode_facts(path, facts)
    parts = OwnParts(model, encoder, decoder, bottleneck)
    built = rebuild(config, sample_shape, parts, of=f"the model in {path}")
    expected = _by_public_name(built)
    _require_same(path, expected, arrays)
    names = {public: name for name, public in _public_names(built).items()}
    set_arrays(built, {names[public]: array for public, array in arrays.items()})
    return TrainedModel(config, built, normalisation, sample_shape)


def _decode_facts(path: Path, facts: Mapping[str, Any]) -> tuple[RunConfig, tuple[int, ...], Normalisation]:
    try:
        config = decode_config(facts["config"])
        return config, tuple(map(int, facts["sample_shape"])), Normalisation.from_json(facts["normalisation"])
    except InputError as error:
        raise InputError(f"{path} has a configuration that this version does not read: {error}") from None
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} lacks what it should hold ({first_line(error)}): save it again") from None


def _by_public_name(model: Autoencoder) -> dict[str, Any]:
    names = _public_names(model)
    return {names[name]: array for name, array in flatten(variables_of(model)).items()}


def _public_names(model: Autoencoder) -> dict[str, str]:
    """`encoder.project.kernel` for `encoder/project/kernel/value`, of every variable that inference uses."""
    return {name: name.removesuffix("/value").replace("/", ".") for name in flatten(variables_of(model))}


def _require_same(path: Path, expected: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    """Raise unless both have the same names, shapes and types; the message says how the first ones differ."""
    model, file = ({name: f"{a.dtype} {a.shape}" for name, a in arrays.items()} for arrays in (expected, found))
    names = sorted(name for name in model.keys() | file.keys() if model.get(name) != file.get(name))
    if names:
        lines = [
            f"{name}: {model.get(name, 'absent')} in the model, {file.get(name, 'absent')} there" for name in names
        ]
        raise InputError(
            f"the arrays in {path} are not those of the model ({len(names)} differ): {'; '.join(lines[:5])}"
        )
