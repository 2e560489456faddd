"""`Exact`: the whole thin SVD, then truncated."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.typing import DTypeLike

from ..decomposition import Decomposition, Method, Options
from ..operands import Operand


@dataclass(frozen=True)
class Exact(Method):
    """The full thin SVD of LAPACK (on TPUs: of XLA), then truncated.

    Accurate to rounding of the largest singular value, for every spectrum and
    type; GPUs decompose float32 in float64 for that. The slowest method, and
    the one that cannot work on a sharded matrix.
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
        u, s, vt = lax.platform_dependent(a.dense(), cuda=_by_qr, rocm=_by_qr, default=_by_default)
        k = options.rank
        return Decomposition(u[..., :k], s[..., :k], vt[..., :k, :], u[..., k:], s[..., k:])


Factors = tuple[Array, Array, Array]


def _by_default(a: Array) -> Factors:
    u, s, vt = jnp.linalg.svd(a, full_matrices=False)
    return u, s, vt


def _by_qr(a: Array) -> Factors:
    """On GPUs: XLA's default is a Jacobi iteration that stops early, with vectors orthonormal to 5e-4 in float32.

    Its QR algorithm is exact to 4e-6 in float32, and to what is promised in float64.
    """
    with jax.enable_x64(True):
        wide = lax.convert_element_type(a, jnp.float64)
        u, s, vt = lax.linalg.svd(wide, full_matrices=False, algorithm=lax.linalg.SvdAlgorithm.QR)
        narrow = lambda x: lax.convert_element_type(x, a.dtype)  # noqa: E731
        return narrow(u), narrow(s), narrow(vt)
