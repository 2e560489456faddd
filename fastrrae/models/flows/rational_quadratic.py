"""The monotone rational-quadratic spline (Gregory and Delbourgo 1982), as in neural spline flows (Durkan et al. 2019).

The spline maps [-5, 5] onto itself, through knots whose positions and slopes are free. Outside it is the identity.
"""

import math

import jax
import jax.numpy as jnp
from jax import Array

BINS = 8
PARAMETERS = 3 * BINS - 1  # widths, heights, and the slopes at the inner knots
_BOUND = 5.0
_LEAST_SIZE = 1e-3  # of a bin, as a share of the interval
_LEAST_SLOPE = 1e-3
_ZERO_IS_SLOPE_ONE = math.log(math.expm1(1 - _LEAST_SLOPE))  # free slopes of zero give the slope of the identity


def apply_spline(x: Array, parameters: Array) -> tuple[Array, Array]:
    """The spline at `x` (...), and the logarithm of its slope there, for free parameters (..., PARAMETERS).

    Equations 4 and 5 of Durkan et al.; parameters of zero give the identity.
    """
    knots = _knots(parameters)
    inside, (left, width, bottom, height, slope, next_slope) = _bin_of(x, knots, by=0)
    share = jnp.where(inside, (x - left) / width, 0.5)
    steepness = height / width
    mixed = share * (1 - share)
    denominator = steepness + (slope + next_slope - 2 * steepness) * mixed
    y = bottom + height * (steepness * share**2 + slope * mixed) / denominator
    log_slope = _log_slope(share, steepness, slope, next_slope, denominator)
    return jnp.where(inside, y, x), jnp.where(inside, log_slope, 0.0)


def invert_spline(y: Array, parameters: Array) -> Array:
    """The `x` (...) at which the spline has the value `y` (...): equations 6 to 8 of Durkan et al."""
    inside, (left, width, bottom, height, slope, next_slope) = _bin_of(y, _knots(parameters), by=1)
    steepness = height / width
    above = jnp.where(inside, y - bottom, 0.0)
    bend = above * (slope + next_slope - 2 * steepness)
    a = height * (steepness - slope) + bend
    b = height * slope - bend
    c = -steepness * above
    root = jnp.sqrt(jnp.maximum(b**2 - 4 * a * c, 0.0))
    return jnp.where(inside, left + width * 2 * c / (-b - root), y)


def _log_slope(share: Array, steepness: Array, slope: Array, next_slope: Array, denominator: Array) -> Array:
    weighted = next_slope * share**2 + 2 * steepness * share * (1 - share) + slope * (1 - share) ** 2
    return 2 * jnp.log(steepness) + jnp.log(weighted) - 2 * jnp.log(denominator)


def _knots(parameters: Array) -> tuple[Array, Array, Array]:
    """Positions and values of the knots, and slopes there: (..., BINS + 1) each."""
    widths, heights, slopes = jnp.split(parameters, [BINS, 2 * BINS], axis=-1)
    inner = _LEAST_SLOPE + jax.nn.softplus(slopes + _ZERO_IS_SLOPE_ONE)
    ends = jnp.ones_like(inner[..., :1])
    return _positions(widths), _positions(heights), jnp.concatenate([ends, inner, ends], axis=-1)


def _positions(free: Array) -> Array:
    """Increasing positions from -5 to 5 of the ends of bins, (..., BINS) -> (..., BINS + 1)."""
    sizes = _LEAST_SIZE + (1 - _LEAST_SIZE * BINS) * jax.nn.softmax(free, axis=-1)
    ends = jnp.cumsum(sizes[..., :-1], axis=-1)
    first, last = jnp.zeros_like(sizes[..., :1]), jnp.ones_like(sizes[..., :1])
    return _BOUND * (2 * jnp.concatenate([first, ends, last], axis=-1) - 1)


def _bin_of(value: Array, knots: tuple[Array, Array, Array], *, by: int) -> tuple[Array, tuple[Array, ...]]:
    """Whether `value` is inside, and of its bin: left, width, bottom, height, slopes at both ends.

    The bin is looked for among the positions of the knots (`by` 0) or their values (1).
    """
    sought = knots[by]
    inside = jnp.abs(value) < _BOUND
    index = jnp.clip(jnp.sum(value[..., None] >= sought, axis=-1) - 1, 0, BINS - 1)
    chosen = jax.nn.one_hot(index, BINS, dtype=value.dtype)  # a product is faster than a gather, and so is its gradient
    positions, heights, slopes = knots
    of_bins = (
        *(positions[..., :-1], jnp.diff(positions, axis=-1)),
        *(heights[..., :-1], jnp.diff(heights, axis=-1)),
        *(slopes[..., :-1], slopes[..., 1:]),
    )
    found = jnp.sum(jnp.stack(of_bins) * chosen, axis=-1)
    return inside, tuple(found)
