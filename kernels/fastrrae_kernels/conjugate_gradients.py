"""Preconditioned conjugate gradients for many systems at once, each with its own matrix and its own step lengths."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

PATIENCE = 5  # iterations
PROGRESS = 0.9  # by this factor at least, a preconditioned residual must fall in so many iterations


class Solution(NamedTuple):
    """What was found, and how well it solves each system."""

    x: Array  # (..., k, p)
    residual: Array  # (..., k): |b - matrix x| / |b|, as the recurrence has it
    iterations: Array  # how many were made, until the last system stopped


class _Search(NamedTuple):
    x: Array
    remainder: Array
    direction: Array
    rho: Array  # (..., k, 1): remainder times preconditioned remainder; zero once a row has stopped
    best: Array  # (..., k, 1): the `rho` that the next progress is measured against
    waited: Array  # (..., k, 1): iterations since there was some
    iteration: Array


def conjugate_gradients(
    matrix: Callable[[Array], Array],
    precondition: Callable[[Array], Array],
    b: Array,
    *,
    tolerance: float = 0.0,
    iterations: int = 200,
) -> Solution:
    """Solve `matrix(x) = b` for each row of `b` (..., k, p), until all relative residuals are at `tolerance`.

    That is never less than 8 eps, which the recurrence reaches even where rounding keeps the true residual above it;
    and it is enough that the preconditioned residual is there, which leaves out what the preconditioner sets to zero.

    A row whose matrix turns out not to be positive definite (a tie at the boundary) stops where it is, finite. So does
    one whose preconditioned residual has not fallen for `PATIENCE` iterations: rounding keeps it where it is.
    """
    rounding = 8 * float(jnp.finfo(b.dtype).eps)
    goal = max(tolerance, rounding) ** 2 * _dot(b, b)
    start = precondition(b)
    first_rho = _dot(b, start)

    def unsolved(search: _Search) -> Array:
        above = (_dot(search.remainder, search.remainder) > goal) & (search.rho > rounding**2 * first_rho)
        return above & (search.waited < PATIENCE)

    def unfinished(search: _Search) -> Array:
        return (search.iteration < iterations) & jnp.any(unsolved(search))

    def iterate(search: _Search) -> _Search:
        """One step of every row that is still unsolved."""
        image = matrix(search.direction)
        curvature = _dot(search.direction, image)
        active = unsolved(search) & (curvature > 0)
        length = jnp.where(active, search.rho / jnp.where(active, curvature, 1), 0)
        remainder = search.remainder - length * image
        z = precondition(remainder)
        rho = jnp.where(active, _dot(remainder, z), 0)
        onward = jnp.where(active, rho / jnp.where(active, search.rho, 1), 0)
        x, direction = search.x + length * search.direction, z + onward * search.direction
        progress = rho < PROGRESS**2 * search.best
        waited = jnp.where(progress, 0, search.waited + 1)
        best = jnp.where(progress, rho, search.best)
        return _Search(x, remainder, direction, rho, best, waited, search.iteration + 1)

    waited = jnp.zeros_like(goal, jnp.int32)
    first = _Search(jnp.zeros_like(b), b, start, first_rho, first_rho, waited, jnp.zeros((), jnp.int32))
    with jax.named_scope("conjugate_gradients"):
        search = lax.while_loop(unfinished, iterate, first)
    size = _dot(b, b)
    residual = jnp.sqrt(_dot(search.remainder, search.remainder) / jnp.where(size == 0, 1, size))
    return Solution(search.x, residual[..., 0], search.iteration)


def _dot(x: Array, y: Array) -> Array:
    return jnp.sum(x * y, axis=-1, keepdims=True)
