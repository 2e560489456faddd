"""Which method runs. No derivatives here."""

from jax import Array

from .conditioning import Plan
from .decomposition import Decomposition
from .exact import exact
from .gram import gram
from .methods import Exact, Gram, Randomized
from .randomized import randomized


def decompose(plan: Plan, a: Array, start: Array | None) -> Decomposition:
    """Decompose `a` (..., p, q) by a resolved method; `start` (..., p, j) is for `Randomized`."""
    method, rank, axis_name, backend = plan
    match method:
        case Exact():
            return exact(rank, a)
        case Gram():
            return gram(rank, axis_name, backend, a)
        case Randomized():
            return randomized(method, rank, axis_name, backend, a, start)
