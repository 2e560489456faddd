"""From coefficients to objects: strings, or samples in the units of the data."""

from collections import Counter

import jax
import numpy as np
from jax import Array

from ..errors import InputError
from ..models import Autoencoder
from ..models.inference import infer
from ..networks.grammar import DerivingDecoder
from ..run import Run


def decode_objects(run: Run, coefficients: np.ndarray, *, decodings: int = 1, seed: int = 0) -> list[str] | np.ndarray:
    """The objects of coefficients (count, rank): a list of strings, or samples (count, *sample_shape).

    Args:
        run: a finished run.
        coefficients: float32.
        decodings: 1: the most probable rule at each step. More: strings are drawn so often, and the most frequent one
            is kept, the first of those that are equally frequent.
        seed: the seed of the draws.

    Raises:
        InputError: several decodings of a run whose decoder draws nothing.
    """
    require_decodings(run, decodings)
    if run.codec is None:
        return run.decode(coefficients)
    if decodings == 1:
        return run.strings(run.decode(coefficients))
    drawn = [run.strings(_draw(run, coefficients, seed + number)) for number in range(decodings)]
    return [Counter(strings).most_common(1)[0][0] for strings in zip(*drawn, strict=True)]


def require_decodings(run: Run, decodings: int) -> None:
    """Raise if a decoder is to be run several times and draws nothing."""
    if decodings > 1 and not isinstance(run.model.decoder, DerivingDecoder):
        raise InputError(f"`decodings` must be 1 for a decoder that gives the same sample each time; got {decodings}")


def _draw(run: Run, coefficients: np.ndarray, seed: int) -> np.ndarray:
    seeds = np.full((len(coefficients), 1), seed, np.float32)
    rows = np.concatenate([coefficients, seeds, np.arange(len(coefficients))[:, None]], axis=1)
    return infer(run.model, _draw_batch, rows.astype(np.float32))


def _draw_batch(model: Autoencoder, rows: Array) -> Array:
    """Rows are coefficients, a seed and a number; each row has a key of its own, whatever the batch is."""
    z = model.bottleneck.expand(rows[:, :-2])
    decoder = model.decoder
    assert isinstance(decoder, DerivingDecoder)

    def key(row: Array) -> Array:
        return jax.random.fold_in(jax.random.key(row[0].astype(int)), row[1].astype(int))

    return decoder.draw(z, jax.vmap(key)(rows[:, -2:]))
