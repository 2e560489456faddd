"""The linear systems of the derivative rule: `core core^T x - x r r^T = rhs`, rows of `x` orthogonal to `u`."""

from collections.abc import Callable

import jax.numpy as jnp
from jax import Array, lax

from .conjugate_gradients import conjugate_gradients
from .matrices import diagonal, gram_matrix, on_each_device, project_out, sum_over
from .operands import Operand

TimesGram = Callable[[Array], Array]


def tie_tolerance(s: Array) -> Array:
    """Differences of singular values up to this count as ties: 16 eps s_1, the rounding of `s` itself."""
    return 16 * float(jnp.finfo(s.dtype).eps) * s[..., None, :1]


def safe_inverse(x: Array, tolerance: Array) -> Array:
    """`1 / x`, and 0 where `|x| <= tolerance`; finite in all derivatives."""
    negligible = jnp.abs(x) <= tolerance
    return jnp.where(negligible, 0, 1 / jnp.where(negligible, 1, x))


def solve_shifted(
    a: Operand,
    u: Array,
    core: Array,
    discarded_u: Array,
    discarded_s: Array,
    rhs: Array,
    axis_name: str | None,
    tolerance: float,
    residual: Array | None = None,
) -> Array:
    """`x` (..., k, p), rows orthogonal to `u`, with `core core^T x - x r r^T = rhs`, where `r = a - u core v^T`.

    `core` is diagonal, so these are k systems with the matrices `s_i^2 - r r^T`, positive definite by the gap between
    kept and discarded singular values. Where all `discarded_u` are known, they diagonalise them; where some are, they
    precondition conjugate gradients, which stop at a relative residual of `tolerance`. The equation, not the algorithm,
    is what gets differentiated.

    With a `residual` e (..., p, k), as of approximate triplets, `r r^T` is without `e e^T`, and columns of
    `discarded_u` may be zero: not known.

    A discarded singular value that equals a kept one is a tie at the boundary, where truncation has no derivative;
    that component is set to zero.
    """
    complete = residual is None and u.shape[-1] + discarded_u.shape[-1] == u.shape[-2]
    if axis_name is None:
        alone = lambda x: _without(residual, (a @ (x @ a).mT).mT, x)  # noqa: E731
        return _solve(alone, u, core, discarded_u, discarded_s, rhs, tolerance, complete)
    if complete:
        # One sum over the devices: what differs between them may not enter a solve whose result does not.
        gram = gram_matrix(a.dense(), axis_name)
        return _solve(lambda x: x @ gram, u, core, discarded_u, discarded_s, rhs, tolerance, complete)

    def times_gram(x: Array) -> Array:
        image = on_each_device(axis_name, sum_over(axis_name, a @ (x @ a).mT).mT)
        return _without(None if residual is None else on_each_device(axis_name, residual), image, x)

    u, core, discarded_u, discarded_s, rhs = (
        on_each_device(axis_name, x) for x in (u, core, discarded_u, discarded_s, rhs)
    )
    x = _solve(times_gram, u, core, discarded_u, discarded_s, rhs, tolerance, complete)
    return sum_over(axis_name, x) / lax.axis_size(axis_name)  # the same on all devices, and known to be


def _without(residual: Array | None, image: Array, x: Array) -> Array:
    return image if residual is None else image - x @ residual @ residual.mT


def _solve(
    times_gram: TimesGram,
    u: Array,
    core: Array,
    discarded_u: Array,
    discarded_s: Array,
    rhs: Array,
    tolerance: float,
    complete: bool,
) -> Array:
    def shifted(x: Array) -> Array:
        outside = project_out(u, x)
        moved = core @ core.mT @ outside - times_gram(outside)
        return project_out(u, moved) + (x - outside)  # the identity on span(u) makes it invertible

    s, fixed_u = lax.stop_gradient((diagonal(core), u))

    def solve(_, b: Array) -> Array:
        return _solve_with_constants(times_gram, fixed_u, s, discarded_u, discarded_s, b, tolerance, complete)

    return lax.custom_linear_solve(shifted, rhs, solve, symmetric=True)


def _solve_with_constants(
    times_gram: TimesGram,
    u: Array,
    s: Array,
    discarded_u: Array,
    discarded_s: Array,
    b: Array,
    tolerance: float,
    complete: bool,
) -> Array:
    tie = tie_tolerance(s)
    kept, discarded = s[..., :, None], discarded_s[..., None, :]
    weights = safe_inverse(kept - discarded, tie) * safe_inverse(kept + discarded, tie)

    def in_known_directions(b: Array) -> Array:
        return (b @ discarded_u * weights) @ discarded_u.mT

    tied = jnp.abs(kept - discarded) <= tie

    def without_ties(x: Array) -> Array:
        return x - (x @ discarded_u * tied) @ discarded_u.mT

    def shifted(x: Array) -> Array:
        return without_ties(kept**2 * x - project_out(u, times_gram(x)))

    def precondition(b: Array) -> Array:
        b = project_out(u, b)
        return in_known_directions(b) + project_out(discarded_u, b) * safe_inverse(kept, tie) ** 2

    within = b @ u @ u.mT  # zero, except when derivatives of the solve are taken
    if complete:
        return in_known_directions(b) + within
    return conjugate_gradients(shifted, precondition, without_ties(b - within), tolerance=tolerance).x + within
