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
from jax.typing import ArrayLike

from .backends import Backend
from .conditioning import Plan, Problem, condition
from .decompose import decompose
from .matrices import diagonal, matmul, on_each_device, project_out, sum_over, transpose
from .methods import Method, Randomized
from .shifted_systems import safe_inverse, solve_shifted, tie_tolerance


class Subspaces(NamedTuple):
    """`u @ core @ vt` is the truncation of `a` (..., p, q); the rest is what its derivatives need."""

    u: Array  # (..., p, k), orthonormal columns
    core: Array  # (..., k, k), u^T a v: the diagonal matrix of singular values, with the derivative of a full one
    vt: Array  # (..., k, q), orthonormal rows
    rest_u: Array  # (..., p, r), the known discarded left directions; carries no derivative
    rest_s: Array  # (..., r), their singular values; carry no derivative


def leading_subspaces(
    a: ArrayLike, rank: int, method: Method, axis_name: str | None, start: ArrayLike | None, backend: Backend
) -> tuple[Problem, Subspaces]:
    """Condition the arguments of a public function, and decompose what they stand for."""
    problem = condition(a, rank, method, axis_name, start, backend)
    return problem, _jitted(problem.plan, problem.matrix, problem.start)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _leading_subspaces(plan: Plan, a: Array, start: Array | None) -> Subspaces:
    d = decompose(plan, a, start)
    return Subspaces(d.u, jnp.eye(plan.rank, dtype=a.dtype) * d.s[..., None, :], d.vt, d.rest_u, d.rest_s)


@_leading_subspaces.defjvp
def _leading_subspaces_jvp(plan, primals, tangents):
    """`du = xt^T`, `dvt = yt`, `dcore = u^T da v`, where with `r` the discarded part of `a`

        core xt - yt r^T = (da v)^T (I - u u^T),      core yt - xt r = u^T da (I - v v^T).

    Eliminating `yt` leaves `core^2 xt - xt r r^T = core left + right r^T`: nothing is ever divided by a discarded
    singular value. Rules that drop `r` (`xt = core^-1 left`) are wrong unless `a` has rank k.
    """
    (a, start), (da, _) = primals, tangents
    method, rank, axis_name, _ = plan
    d = _leading_subspaces(plan, a, start)
    da_v = sum_over(axis_name, matmul(da, transpose(d.vt)))
    dcore = matmul(transpose(d.u), da_v)
    left = transpose(da_v - matmul(d.u, dcore))
    right = matmul(transpose(d.u), da) - matmul(dcore, d.vt)
    if rank == a.shape[-2]:  # u spans the whole p side: there is no way out of it
        xt = jnp.zeros_like(left)
        yt = _divide_by_core(axis_name, d.core, right)
    else:
        rhs = matmul(d.core, left) + sum_over(axis_name, matmul(right, transpose(a)))
        tolerance = 0.01 * method.tolerance if isinstance(method, Randomized) else 0.0
        xt = solve_shifted(a, d.u, d.core, d.rest_u, d.rest_s, project_out(d.u, rhs), axis_name, tolerance)
        yt = _divide_by_core(axis_name, d.core, right + matmul(xt, a))
    return d, Subspaces(transpose(xt), dcore, yt, jnp.zeros_like(d.rest_u), jnp.zeros_like(d.rest_s))


# Outside of a program of the caller's, the `cond` of a method would be compiled again by every call.
_jitted = jax.jit(_leading_subspaces, static_argnums=0)


def _divide_by_core(axis_name: str | None, core: Array, rhs: Array) -> Array:
    """`y` with `core y = rhs`; rows of zero singular values are undetermined and set to zero.

    `core` is diagonal, but `custom_linear_solve` differentiates the equation with a full one: higher derivatives are
    exact, at ties too.
    """
    core = on_each_device(axis_name, core)
    s = lax.stop_gradient(diagonal(core))
    inverse = safe_inverse(s, tie_tolerance(s)[..., 0, :])[..., :, None]
    solve = lambda _, b: inverse * b  # noqa: E731
    return lax.custom_linear_solve(lambda y: matmul(core, y), rhs, solve, solve)
