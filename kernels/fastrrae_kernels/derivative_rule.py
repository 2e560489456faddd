"""The leading singular subspaces of a matrix, and the derivative rule that everything else is built on.

Truncation defines two subspaces; any orthonormal bases `u` and `v` of them will do, as long as functions built on top
do not care which. So the rule here moves the bases only out of their own spans, never within: it has no
1 / (s_i - s_j), and repeated (degenerate) singular values among the kept ones cannot hurt it.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from .arguments import Problem
from .decomposition import Options
from .matrices import diagonal, full_precision, on_each_device, project_out, sum_over
from .operands import Operand, in_units
from .shifted_systems import safe_inverse, solve_shifted, tie_tolerance


class Subspaces(NamedTuple):
    """`u @ core @ vt` is the truncation of `a` (..., p, q); the rest is what its derivatives need."""

    u: Array  # (..., p, k), orthonormal columns
    core: Array  # (..., k, k), u^T a v: the diagonal matrix of singular values, with the derivative of a full one
    vt: Array  # (..., k, q), orthonormal rows
    discarded_u: Array  # (..., p, r), the known discarded left directions; carries no derivative
    discarded_s: Array  # (..., r), their singular values; carry no derivative
    exact: Array | None = None  # as in `Decomposition`


def results_of(
    problem: Problem, degrees: tuple[int, ...], function: Callable[[Subspaces, Array | None], tuple[Array, ...]]
) -> tuple[Array, ...]:
    """`function(subspaces, kept)` of the scaled matrix, in the units of the input: `in_units` says what degrees are."""

    def of_matrix(a: Operand, start: Array | None, kept: Array | None) -> tuple[Array, ...]:
        return function(_jitted(problem.options, a, start), kept)

    return in_units(of_matrix, degrees, problem.scale, problem.a, problem.start, problem.kept)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
@full_precision
def _leading_subspaces(options: Options, a: Operand, start: Array | None) -> Subspaces:
    d = options.method.decompose(a, start, options)
    core = jnp.eye(options.rank, dtype=d.s.dtype) * d.s[..., None, :]
    u, core, vt = (jnp.where(a.finite, x, jnp.nan) for x in (d.u, core, d.vt))
    return Subspaces(u, core, vt, d.discarded_u, d.discarded_s, d.exact)


@_leading_subspaces.defjvp
@full_precision
def _leading_subspaces_jvp(options, primals, tangents):
    """`du = xt^T`, `dvt = yt`, `dcore = u^T da v`, where with `r` the discarded part of `a`

        core xt - yt r^T = (da v)^T (I - u u^T),      core yt - xt r = u^T da (I - v v^T).

    Eliminating `yt` leaves `core^2 xt - xt r r^T = core left + right r^T`: nothing is ever divided by a discarded
    singular value. Rules that drop `r` (`xt = core^-1 left`) are wrong unless `a` has rank k.

    Triplets of an `approximate` method leave a residual `e = a v - u core`, where `u^T a = core v^T` holds. They are
    those of `a - e v^T`, and the derivative is that at this matrix: its discarded part is `a - e v^T - u core v^T`.
    """
    (a, start), (tangent, _) = primals, tangents
    axis_name = options.axis_name
    da = a.derivative(tangent)
    a = a.with_own_tangents()
    d = _leading_subspaces(options, a, start)
    da_v = sum_over(axis_name, da @ d.vt.mT)
    dcore = d.u.mT @ da_v
    left = (da_v - d.u @ dcore).mT
    right = d.u.mT @ da - dcore @ d.vt
    residual = _residual(axis_name, a, d) if options.method.approximate else None
    if options.rank == a.shape[-2]:  # u spans the whole p side: there is no way out of it
        xt = jnp.zeros_like(left)
        yt = _divide_by_core(axis_name, d.core, right)
    else:
        rhs = d.core @ left + sum_over(axis_name, a @ right.mT).mT
        rhs = project_out(d.u, rhs)
        xt = solve_shifted(
            a, d.u, d.core, d.discarded_u, d.discarded_s, rhs, axis_name, options.method.gradient_tolerance, residual
        )
        moved = xt @ a if residual is None else xt @ a - xt @ residual @ d.vt
        yt = _divide_by_core(axis_name, d.core, right + moved)
    constant = jax.tree.map(jnp.zeros_like, (d.discarded_u, d.discarded_s, d.exact))
    return d, Subspaces(xt.mT, dcore, yt, *constant)


def _residual(axis_name: str | None, a: Operand, d: Subspaces) -> Array:
    """`a v - u core` (..., p, k), without its part in the span of `u`, which is rounding."""
    return project_out(d.u, sum_over(axis_name, a @ d.vt.mT).mT).mT


# Outside of a program of the caller's, the `cond` of a method would be compiled again by every call.
_jitted = jax.jit(_leading_subspaces, static_argnums=0)


def _divide_by_core(axis_name: str | None, core: Array, rhs: Array) -> Array:
    """`y` with `core y = rhs`; rows of zero singular values are undetermined and set to zero.

    `core` is diagonal, but `custom_linear_solve` differentiates the equation with a full one: higher derivatives are
    exact, at repeated singular values too.
    """
    core = on_each_device(axis_name, core)
    s = lax.stop_gradient(diagonal(core))
    inverse = safe_inverse(s, tie_tolerance(s)[..., 0, :])[..., :, None]
    solve = lambda _, b: inverse * b  # noqa: E731
    return lax.custom_linear_solve(lambda y: core @ y, rhs, solve, solve)
