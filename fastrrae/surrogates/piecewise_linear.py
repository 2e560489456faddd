"""Linear interpolation between scattered samples: over intervals, triangles, tetrahedra."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from ..errors import InputError, first_line
from .interpolant import Interpolant, distinct

MOST_PARAMETERS = 5  # the number of simplices grows exponentially with that of parameters


@dataclass(frozen=True)
class PiecewiseLinear:
    """Linear within each simplex of the Delaunay triangulation of the training samples.

    Exact for linear functions, and at the training samples; samples that have the same parameters count as one. Outside
    their hull, the nearest simplex goes on. The derivative is constant in each simplex.
    """

    def fit(self, parameters: np.ndarray, coefficients: np.ndarray) -> Interpolant:
        """Triangulate; see `Method`."""
        points, values = distinct(parameters, coefficients)
        simplices = _simplices(points)
        corners = points[simplices]  # (simplices, P + 1, P)
        inverses = np.linalg.inv(np.swapaxes(corners[:, 1:] - corners[:, :1], 1, 2))
        return _PiecewiseLinear(corners[:, 0], inverses, values[simplices])


def _simplices(points: np.ndarray) -> np.ndarray:
    """Indices of the corners of each simplex, (simplices, P + 1)."""
    from scipy.spatial import Delaunay, QhullError

    count, parameters = points.shape
    if parameters > MOST_PARAMETERS:
        raise InputError(
            f"linear interpolation takes at most {MOST_PARAMETERS} parameters; got {parameters}. Use `method` rbf or gp"
        )
    if count <= parameters:
        raise InputError(
            f"linear interpolation over {parameters} parameters needs more than {parameters} training samples that "
            f"differ in them; got {count}"
        )
    if parameters == 1:
        return np.stack([np.arange(count - 1), np.arange(1, count)], axis=1)  # `distinct` has sorted them
    try:
        return Delaunay(points).simplices
    except QhullError as error:
        raise InputError(
            f"linear interpolation needs training samples that span all {parameters} parameters: {first_line(error)}. "
            f"Use `method` rbf"
        ) from None


@partial(jax.tree_util.register_dataclass, data_fields=("origins", "inverses", "values"), meta_fields=())
@dataclass(frozen=True)
class _PiecewiseLinear(Interpolant):
    origins: Any  # (simplices, P): a corner of each
    inverses: Any  # (simplices, P, P): from offsets to barycentric coordinates of the other corners
    values: Any  # (simplices, P + 1, rank)

    def __call__(self, parameters: Array) -> Array:
        return lax.map(self._at, parameters)  # one by one: there may be thousands of simplices

    def _at(self, point: Array) -> Array:
        """Coefficients (rank,): those at the corners around `point`, weighted by its barycentric coordinates."""
        weights = jnp.einsum("spq,sq->sp", self.inverses, point - self.origins)
        weights = jnp.concatenate([1 - weights.sum(axis=1, keepdims=True), weights], axis=1)
        simplex = jnp.argmax(jax.lax.stop_gradient(weights).min(axis=1))  # negative weights are outside
        return weights[simplex] @ self.values[simplex]
