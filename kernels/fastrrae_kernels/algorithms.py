"""The forward algorithms: a wide matrix in, a `Decomposition` out. No derivatives here.

Each algorithm takes leading batch dimensions and answers `vmap` with the same batched code.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.custom_batching import custom_vmap

from .matrices import matmul, transpose
from .methods import Exact, Gram


class Decomposition(NamedTuple):
    """The truncated SVD of a wide matrix (m <= n), and the eigenbasis that is left over on its small side.

    The leftover is what the derivative rules need to be exact: `rest_u` spans the left space that truncation
    discards, `rest_s` holds the discarded singular values.
    """

    u: Array  # (..., m, k)
    s: Array  # (..., k), descending
    vt: Array  # (..., k, n)
    rest_u: Array  # (..., m, m - k)
    rest_s: Array  # (..., m - k), descending


def run_algorithm(method: Exact | Gram, rank: int, a: Array) -> Decomposition:
    """Decompose `a` (..., m, n) with m <= n by a resolved method."""
    algorithm = {Exact: exact, Gram: gram}[type(method)]
    return _natively_batched(partial(algorithm, rank))(a)


def _natively_batched(algorithm: Callable[[Array], Decomposition]) -> Callable[[Array], Decomposition]:
    """Make `vmap` prepend a batch dimension instead of batching each operation inside.

    `gram` needs it: its operations are traced with 64-bit types enabled, and must not be traced again without.
    """
    batched = custom_vmap(algorithm)

    @batched.def_vmap
    def rule(axis_size, in_batched, a):  # pyright: ignore[reportUnusedFunction]
        del axis_size
        out = _natively_batched(algorithm)(a)
        return out, jax.tree.map(lambda _: in_batched[0], out)

    return batched


def exact(rank: int, a: Array) -> Decomposition:
    """The thin SVD of `a`, cut after `rank` triplets."""
    u, s, vt = jnp.linalg.svd(a, full_matrices=False)
    return Decomposition(u[..., :rank], s[..., :rank], vt[..., :rank, :], u[..., rank:], s[..., rank:])


def gram(rank: int, a: Array) -> Decomposition:
    """`a a^T = W diag(w) W^T` in float64, then `v = a^T u / |a^T u|` and `s = |a^T u|` from `a` itself.

    A Gram matrix in float32 would know nothing of singular values under sqrt(eps) = 3e-4 of the largest one.
    """
    with jax.enable_x64(True):
        wide = lax.convert_element_type(a, jnp.float64)
        w, basis = jnp.linalg.eigh(matmul(wide, transpose(wide)), symmetrize_input=False)
        w, basis = jnp.flip(w, -1), jnp.flip(basis, -1)
        u = basis[..., :rank]
        v = matmul(transpose(wide), u)
        # Rounding can swap neighbours that are tied; the running minimum keeps the order descending.
        s = lax.cummin(jnp.linalg.norm(v, axis=-2), axis=v.ndim - 2)
        v = _orthonormal_columns(v, s, a.dtype)
        rest_s = jnp.sqrt(jnp.maximum(w[..., rank:], 0))
        out = Decomposition(u, s, transpose(v), basis[..., rank:], rest_s)
        return jax.tree.map(lambda x: lax.convert_element_type(x, a.dtype), out)


def _orthonormal_columns(v: Array, s: Array, dtype: jnp.dtype) -> Array:
    """Columns of `v = a^T u` brought to length one, and completed where `s` is too small to define a direction.

    Dividing by a small singular value leaves errors of eps (s_1 / s)^2 along the large ones. Where those would show in
    `dtype`, a Householder QR removes them, large columns first; a zero column becomes some orthonormal complement.
    """
    eps = jnp.finfo(v.dtype).eps
    visible = max(jnp.finfo(dtype).eps, 1e-12)
    unit = v / jnp.where(s > eps * s[..., :1], s, jnp.inf)[..., None, :]

    def by_qr(unit: Array) -> Array:
        q, r = jnp.linalg.qr(unit)
        sign = jnp.where(jnp.diagonal(r, axis1=-2, axis2=-1) < 0, -1.0, 1.0)
        return q * sign[..., None, :]

    weak = s <= s[..., :1] * (eps / visible) ** 0.5
    return lax.cond(jnp.any(weak), by_qr, lambda unit: unit, unit)
