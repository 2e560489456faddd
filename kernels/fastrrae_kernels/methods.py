"""The ways to compute a truncated SVD. A method is a value; its fields are its options."""

from dataclasses import dataclass
from typing import TypeAlias

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from .tpu.jacobi import MOST_COLUMNS


@dataclass(frozen=True)
class Exact:
    """The full thin SVD of LAPACK (on accelerators: of XLA), then truncated.

    Accurate to rounding of the largest singular value, for every spectrum and type. The slowest method, and the one
    that cannot work on a sharded matrix.
    """


@dataclass(frozen=True)
class Gram:
    """Eigendecomposition of the small-side Gram matrix, singular values extracted again from `a` itself.

    For float32 input the Gram matrix is decomposed in float32 where the kept singular values are of one magnitude
    (s_k > s_1 / 4) and in float64 where they are not, so that squaring loses nothing: singular values are good to
    rounding of the largest one, as with `Exact`. So they are on TPUs, which have no float64 but a kernel of this
    package (up to 512 x 512). Where there is neither, singular vectors belonging to values under sqrt(eps) s_1 are not
    resolved: 1.5e-8 s_1 for float64 input; 3e-4 s_1 on TPUs for larger or sharded matrices.
    """


@dataclass(frozen=True)
class Randomized:
    """Block subspace iteration, for a rank far below min(m, n), and for warm starts.

    Iterates until every kept triplet has `|a v_i - s_i u_i| <= tolerance * s_1`, or until `iterations` are done. Then
    each kept `s_i` is within `tolerance * s_1` of some singular value of `a`; errors of the kept singular values are of
    the order `tolerance^2 s_1`, those of singular vectors and of derivatives of the order `tolerance`, over the gap to
    the discarded values. What was reached can be seen with `residual`. A fast decay makes it fast; where rank and
    oversampling together are not far below min(m, n), `Gram` is faster and exact.

    Derivatives solve their linear systems by conjugate gradients, preconditioned with the directions beyond the rank.

    Attributes:
        oversample: how many directions beyond the rank are iterated with; None: as many as the rank, or 16 where the
            rank is above a quarter of min(m, n).
        iterations: at most so many products with `a a^T`.
        tolerance: see above.
        seed: of the random start.
    """

    oversample: int | None = None
    iterations: int = 64
    tolerance: float = 1e-2
    seed: int = 0

    def __post_init__(self) -> None:
        if self.oversample is not None and self.oversample < 0:
            raise ValueError(f"`oversample` must be at least 0, or None; got {self.oversample}")
        if self.iterations < 1:
            raise ValueError(f"`iterations` must be at least 1; got {self.iterations}")
        if not self.tolerance > 0:
            raise ValueError(f"`tolerance` must be positive; got {self.tolerance}")


@dataclass(frozen=True)
class Auto:
    """The fastest method that keeps full accuracy, chosen by `choose_method`; with a `start`, `Randomized()`."""


Method: TypeAlias = Exact | Gram | Randomized | Auto
AUTO = Auto()


def choose_method(dtype: DTypeLike, platform: str, size: int) -> Exact | Gram:
    """What `Auto()` stands for on a matrix that lies on one device.

    Args:
        dtype: the type that the decomposition is computed in.
        platform: "cpu", "gpu" or "tpu".
        size: the smaller side of the matrix.

    `Gram` beats the thin SVD at every shape of `specs.SHAPES` (`bench/svd.py`), but it needs a type twice as wide as
    the input's, or the Jacobi kernel of TPUs: float64 input has neither, nor have matrices on TPUs beyond the kernel's
    size. `Randomized` is never chosen: it wins only by stopping early, at an error that its caller should have asked
    for.
    """
    if jnp.dtype(dtype) == jnp.float64 or (platform == "tpu" and size > MOST_COLUMNS):
        return Exact()
    return Gram()


def resolve_method(
    method: Method, dtype: DTypeLike, axis_name: str | None, has_start: bool, size: int
) -> Exact | Gram | Randomized:
    """Replace `Auto()` by what it stands for on the default platform; refuse what a method cannot do."""
    if not isinstance(method, Auto | Exact | Gram | Randomized):
        raise TypeError(f"`method` must be one of Auto(), Exact(), Gram() and Randomized(...); got {method!r}")
    if isinstance(method, Auto):
        if has_start:
            return Randomized()
        return choose_method(dtype, jax.default_backend(), size) if axis_name is None else Gram()
    if has_start and not isinstance(method, Randomized):
        raise ValueError(f"`start` is for iterative methods: Randomized(...) or Auto(); got {method!r}")
    if axis_name is not None and isinstance(method, Exact):
        raise ValueError("`Exact()` needs the whole matrix on one device; with `axis_name` use Gram() or Randomized()")
    return method
