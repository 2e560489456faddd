"""The linear systems of the derivative rule: `core core^T x - x r r^T = rhs`, rows of `x` orthogonal to `u`."""

from collections.abc import Callable
from functools import partial

import jax.numpy as jnp
from jax import Array, lax

from .conjugate_gradients import conjugate_gradients
from .matrices import diagonal, gram_matrix, matmul, project_out, transpose


def tie_tolerance(s: Array) -> Array:
    """Differences of singular values up to this count as ties: 16 eps s_1, the rounding of `s` itself."""
    return 16 * jnp.finfo(s.dtype).eps * s[..., None, :1]


def safe_inverse(x: Array, tolerance: Array) -> Array:
    """`1 / x`, and 0 where `|x| <= tolerance`; finite in all derivatives."""
    negligible = jnp.abs(x) <= tolerance
    return jnp.where(negligible, 0, 1 / jnp.where(negligible, 1, x))


def solve_shifted(
    a: Array,
    u: Array,
    core: Array,
    rest_u: Array,
    rest_s: Array,
    rhs: Array,
    axis_name: str | None,
    tolerance: float,
) -> Array:
    """`x` (..., k, p), rows orthogonal to `u`, with `core core^T x - x r r^T = rhs`, where `r = a - u core v^T`.

    `core` is diagonal, so these are k systems with the matrices `s_i^2 - r r^T`, positive definite by the gap between
    kept and discarded singular values. Where all discarded directions `rest_u` are known, they diagonalise them; where
    some are, they precondition conjugate gradients, which stop at a relative residual of `tolerance`. The equation,
    not the algorithm, is what gets differentiated.

    A discarded singular value that equals a kept one is a tie at the boundary, where truncation has no derivative;
    that component is set to zero.
    """
    # Sharded, `a a^T` is summed once: values that differ between devices may not enter a solve whose result does not.
    operand = a if axis_name is None else gram_matrix(a, axis_name)
    times_gram = _times_gram if axis_name is None else matmul

    def shifted(x: Array) -> Array:
        outside = project_out(u, x)
        moved = matmul(matmul(core, transpose(core)), outside) - times_gram(outside, operand)
        return project_out(u, moved) + (x - outside)  # the identity on span(u) makes it invertible

    fixed = lax.stop_gradient((operand, u, diagonal(core), rest_u, rest_s))
    solve = partial(_solve_with_constants, times_gram, tolerance, *fixed)
    return lax.custom_linear_solve(shifted, rhs, lambda _, b: solve(b), symmetric=True)


def _solve_with_constants(
    times_gram: Callable[[Array, Array], Array],
    tolerance: float,
    operand: Array,
    u: Array,
    s: Array,
    rest_u: Array,
    rest_s: Array,
    b: Array,
) -> Array:
    tie = tie_tolerance(s)
    weights = safe_inverse(s[..., :, None] - rest_s[..., None, :], tie) * safe_inverse(
        s[..., :, None] + rest_s[..., None, :], tie
    )

    def in_known_directions(b: Array) -> Array:
        return matmul(matmul(b, rest_u) * weights, transpose(rest_u))

    def shifted(x: Array) -> Array:
        return s[..., :, None] ** 2 * x - project_out(u, times_gram(x, operand))

    def precondition(b: Array) -> Array:
        b = project_out(u, b)
        return in_known_directions(b) + project_out(rest_u, b) * safe_inverse(s[..., :, None], tie) ** 2

    within = matmul(matmul(b, u), transpose(u))  # zero, except when derivatives of the solve are taken
    if u.shape[-1] + rest_u.shape[-1] == u.shape[-2]:
        return in_known_directions(b) + within
    return conjugate_gradients(shifted, precondition, b - within, tolerance=tolerance).x + within


def _times_gram(x: Array, a: Array) -> Array:
    return matmul(matmul(x, a), transpose(a))
