"""The ways to compute a truncated SVD. A method is a value; its fields are its options."""

from dataclasses import dataclass
from typing import TypeAlias

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike


@dataclass(frozen=True)
class Exact:
    """The full thin SVD of LAPACK (on accelerators: of XLA), then truncated.

    Relative accuracy in every singular value down to rounding of the largest one. The slowest method.
    """


@dataclass(frozen=True)
class Gram:
    """Eigendecomposition of the small-side Gram matrix, singular values extracted again from `a` itself.

    The Gram matrix of float32 input is formed and decomposed in float64, so that squaring loses nothing: singular
    values are good to rounding of the largest one, as with `Exact`. For float64 input there is no wider type, and
    singular vectors belonging to values under about 1e-8 of the largest one are not resolved: use `Exact` there.
    """


@dataclass(frozen=True)
class Auto:
    """The fastest method that keeps full accuracy, chosen from dtype and platform by `choose_method`."""


Method: TypeAlias = Exact | Gram | Auto
AUTO = Auto()


def choose_method(dtype: DTypeLike, platform: str) -> Exact | Gram:
    """What `Auto()` stands for.

    Args:
        dtype: the type that the decomposition is computed in.
        platform: "cpu", "gpu" or "tpu".

    `Gram` beats the thin SVD at every shape of `specs.SHAPES` (`bench/svd.py`), but it needs a type twice as wide as
    the input's: float64 input has none, and TPUs have no float64 eigensolver.
    """
    if jnp.dtype(dtype) == jnp.float64 or platform == "tpu":
        return Exact()
    return Gram()


def resolve_method(method: Method, dtype: DTypeLike) -> Exact | Gram:
    """Replace `Auto()` by what it stands for on the default platform."""
    if isinstance(method, Auto):
        return choose_method(dtype, jax.default_backend())
    if isinstance(method, Exact | Gram):
        return method
    raise TypeError(f"`method` must be one of Auto(), Exact() and Gram(); got {method!r}")
