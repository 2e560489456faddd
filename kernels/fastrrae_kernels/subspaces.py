"""The leading singular subspaces of a matrix, and the derivative rule that everything else is built on.

Truncation defines two subspaces; any orthonormal bases `u` and `v` of them will do, as long as functions built on top
do not care which. So the rule here moves the bases only out of their own spans, never within: it has no
1 / (s_i - s_j), and ties among kept singular values cannot hurt it.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from .algorithms import run_algorithm
from .matrices import matmul, project_out, transpose
from .methods import Exact, Gram


class Subspaces(NamedTuple):
    """`u @ core @ vt` is the truncation of a wide matrix; the rest is what its derivatives need."""

    u: Array  # (..., m, k), orthonormal columns
    core: Array  # (..., k, k), u^T a v: the diagonal matrix of singular values, with the derivative of a full one
    vt: Array  # (..., k, n), orthonormal rows
    rest_u: Array  # (..., m, m - k), the discarded left basis; carries no derivative
    rest_s: Array  # (..., m - k), the discarded singular values; carry no derivative


@partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def leading_subspaces(method: Exact | Gram, rank: int, a: Array) -> Subspaces:
    """Decompose a wide, conditioned matrix `a` (..., m, n), m <= n."""
    d = run_algorithm(method, rank, a)
    return Subspaces(d.u, jnp.eye(rank, dtype=a.dtype) * d.s[..., None, :], d.vt, d.rest_u, d.rest_s)


@leading_subspaces.defjvp
def _leading_subspaces_jvp(method, rank, primals, tangents):
    """`du = x`, `dv = y`, `dcore = u^T da v`, where with `r` the discarded part of `a`

        x core - r y = (I - u u^T) da v,      y core^T - r^T x = (I - v v^T) da^T u.

    Eliminating `y` on the wide side leaves `x core core^T - r r^T x = left core^T + r right`: nothing is ever divided
    by a discarded singular value. Rules that drop `r` (`x = left core^-1`) are wrong unless `a` has rank k.
    """
    (a,), (da,) = primals, tangents
    d = leading_subspaces(method, rank, a)
    v = transpose(d.vt)
    da_v = matmul(da, v)
    left, right = project_out(d.u, da_v), project_out(v, matmul(transpose(da), d.u))
    if d.rest_s.shape[-1] == 0:  # u spans the whole small side: there is no way out of it
        x = jnp.zeros_like(left)
        y = _divide_by_core(d.core, right)
    else:
        x = _solve_shifted(a, d, project_out(d.u, matmul(left, transpose(d.core)) + matmul(a, right)))
        y = _divide_by_core(d.core, right + project_out(v, matmul(transpose(a), x)))
    moved = Subspaces(x, matmul(transpose(d.u), da_v), transpose(y), jnp.zeros_like(d.rest_u), jnp.zeros_like(d.rest_s))
    return d, moved


def tie_tolerance(s: Array) -> Array:
    """Differences of singular values up to this count as ties: 16 eps s_1, the rounding of `s` itself."""
    return 16 * jnp.finfo(s.dtype).eps * s[..., None, :1]


def safe_inverse(x: Array, tolerance: Array) -> Array:
    """`1 / x`, and 0 where `|x| <= tolerance`; finite in all derivatives."""
    negligible = jnp.abs(x) <= tolerance
    return jnp.where(negligible, 0, 1 / jnp.where(negligible, 1, x))


def diagonal(core: Array) -> Array:
    """The singular values in a `core`."""
    return jnp.diagonal(core, axis1=-2, axis2=-1)


# The two solves below use what is known of the matrices at hand (one is diagonal, of the other the eigenbasis is
# there), but `custom_linear_solve` differentiates their equations: higher derivatives are exact, at ties too.


def _divide_by_core(core: Array, rhs: Array) -> Array:
    """`y` with `y core^T = rhs`; columns of zero singular values are undetermined and set to zero."""
    s = lax.stop_gradient(diagonal(core))
    inverse = safe_inverse(s[..., None, :], tie_tolerance(s))
    solve = lambda _, b: b * inverse  # noqa: E731
    return lax.custom_linear_solve(lambda y: matmul(y, transpose(core)), rhs, solve, solve)


def _solve_shifted(a: Array, d: Subspaces, rhs: Array) -> Array:
    """`x` orthogonal to `u` with `x core core^T - r r^T x = rhs`.

    A discarded singular value that equals a kept one is a tie at the boundary, where truncation has no derivative;
    that component is set to zero.
    """
    u, rest_u, rest_s, s = lax.stop_gradient((d.u, d.rest_u, d.rest_s[..., :, None], diagonal(d.core)))
    tolerance, s = tie_tolerance(s), s[..., None, :]
    weights = safe_inverse(s - rest_s, tolerance) * safe_inverse(s + rest_s, tolerance)

    def shifted(x: Array) -> Array:
        outside = project_out(d.u, x)
        squared = matmul(d.core, transpose(d.core))
        moved = matmul(outside, squared) - matmul(a, matmul(transpose(a), outside))
        return project_out(d.u, moved) + (x - outside)  # the identity on span(u) makes it invertible

    def solve(_, b: Array) -> Array:
        # b has a part in span(u) only when derivatives of this solve are taken.
        return matmul(rest_u, weights * matmul(transpose(rest_u), b)) + matmul(u, matmul(transpose(u), b))

    return lax.custom_linear_solve(shifted, rhs, solve, symmetric=True)
