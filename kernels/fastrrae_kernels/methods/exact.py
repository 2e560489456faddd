"""`Exact`: the whole thin SVD, then truncated."""

from dataclasses import dataclass

import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from ..decomposition import Decomposition, Method, Options
from ..operands import Operand


@dataclass(frozen=True)
class Exact(Method):
    """The full thin SVD of LAPACK (on accelerators: of XLA), then truncated.

    Accurate to rounding of the largest singular value, for every spectrum and
    type. The slowest method, and the one that cannot work on a sharded matrix.
    """

    def check(self, options: Options, size: int, dtype: DTypeLike) -> None:
        """Refuse a sharded matrix, and kernels."""
        super().check(options, size, dtype)
        if options.axis_name is not None:
            raise ValueError(
                "`Exact()` needs the whole matrix on one device; with `axis_name` use Gram() or Randomized()"
            )

    def decompose(self, a: Operand, start: Array | None, options: Options) -> Decomposition:
        """By the SVD of LAPACK or XLA; p <= q."""
        del start
        u, s, vt = jnp.linalg.svd(a.dense(), full_matrices=False)
        k = options.rank
        return Decomposition(u[..., :k], s[..., :k], vt[..., :k, :], u[..., k:], s[..., k:])
