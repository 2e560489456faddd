"""What a method is asked, and what it answers. A new method is one file in `methods`, and one line in its registry.

Inside the package a matrix lies on its side: `a` (..., p, q), where `p` is the axis whose p x p Gram matrix is formed
and `q` the one that is summed over. `q` is the longer axis, or the one that is sharded over devices.
"""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal, NamedTuple, TypeAlias

from jax import Array
from jax.typing import DTypeLike

from .operands import Operand

Backend: TypeAlias = Literal["auto", "xla", "pallas"]


class Decomposition(NamedTuple):
    """The k leading singular triplets of `a` (..., p, q), and what is known of the discarded ones.

    The derivative rules need the discarded ones to be exact: `discarded_u` (..., p, r) holds orthonormal directions
    outside of `u`, `discarded_s` (..., r) their singular values. `Exact` and `Gram` know all r = p - k, `Randomized`
    only some, and `Tracked` now these and now those: columns of `discarded_u` that are zero are not known.
    """

    u: Array  # (..., p, k)
    s: Array  # (..., k), descending
    vt: Array  # (..., k, q)
    discarded_u: Array  # (..., p, r)
    discarded_s: Array  # (..., r), descending
    exact: Array | None = None  # (...), of `Tracked`: 1 where the decomposition is exact, 0 where it is not


class Options(NamedTuple):
    """How to decompose; known when a program is compiled."""

    rank: int
    method: "Method"
    axis_name: str | None = None
    backend: Backend = "auto"


class Method(ABC):
    """A way to compute a truncated SVD; its fields are its options."""

    takes_start: ClassVar[bool] = False

    # Whether p is the axis of the columns of the matrix, also where it has more columns than rows.
    works_on_columns: ClassVar[bool] = False

    # Whether `a v = s u` holds up to a residual, which the derivative takes into account.
    approximate: ClassVar[bool] = False

    @abstractmethod
    def decompose(self, a: Operand, start: Array | None, options: Options) -> Decomposition:
        """Decompose `a` (..., p, q); the columns of `start` (..., p, j), where it is given, guess the span of `u`."""

    def check(self, options: Options, size: int, dtype: DTypeLike) -> None:
        """Refuse what this method cannot do with a matrix whose axis p has `size` entries, computed in `dtype`."""
        del size, dtype
        if options.backend == "pallas":
            raise ValueError(f'`backend="pallas"` has kernels for Gram() only; got {self!r}')

    def given_start(self) -> "Method":
        """The method that runs where there is a `start`."""
        return self

    @property
    def gradient_tolerance(self) -> float:
        """The relative residual to which the linear systems of the derivative are solved; 0: to rounding."""
        return 0.0
