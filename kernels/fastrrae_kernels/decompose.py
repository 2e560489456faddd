"""Which method runs. No derivatives here."""

from jax import Array

from .decomposition import Decomposition
from .exact import exact
from .gram import gram
from .methods import Exact, Gram, Randomized
from .randomized import randomized


def decompose(
    method: Exact | Gram | Randomized, rank: int, axis_name: str | None, a: Array, start: Array | None
) -> Decomposition:
    """Decompose `a` (..., p, q) by a resolved method; `start` (..., p, j) is for `Randomized`."""
    match method:
        case Exact():
            return exact(rank, a)
        case Gram():
            return gram(rank, axis_name, a)
        case Randomized():
            return randomized(method, rank, axis_name, a, start)
