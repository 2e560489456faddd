"""Matrices that exist only as products: sparse, centred, or any linear map with its transpose."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

Product = Callable[[Any, Array], Array]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class LinearOperator:
    """A matrix (m, n) that is known by its products.

    `truncated_svd` and `low_rank` take it in place of an array.

    Derivatives are those with respect to `parameters`, exact as those with
    respect to an array. Best with `Randomized(...)`; other methods multiply it
    with an identity matrix first. An operator is not scaled: squares of its
    singular values must be within the range of the type. Results are not made
    NaN where a parameter is.

    Attributes:
        parameters: a pytree of arrays that the matrix depends on.
        matmat: `matmat(parameters, x)` is the matrix times `x` (n, j).
        rmatmat: `rmatmat(parameters, y)` is its transpose times `y` (m, j).
        shape: (m, n).
        dtype: the type that is computed in, float32 or float64.
    """

    parameters: Any
    matmat: Product = field(metadata={"static": True})
    rmatmat: Product = field(metadata={"static": True})
    shape: tuple[int, int] = field(metadata={"static": True})
    dtype: DTypeLike = field(default=jnp.float32, metadata={"static": True})

    def __matmul__(self, x: Array) -> Array:
        return self.matmat(self.parameters, x)

    def __rmatmul__(self, x: Array) -> Array:
        return self.rmatmat(self.parameters, x.mT).mT


def centred(a: Array) -> LinearOperator:
    """`a` (m, n) minus the mean of its rows, without forming it: PCA.

    Example:
        >>> svd = truncated_svd(centred(x), 8, method=Randomized())
        >>> scores, components = svd.u * svd.s, svd.vt
    """
    return LinearOperator(a, _centred_times, _centred_transposed_times, (a.shape[0], a.shape[1]), a.dtype)


def _centred_times(a: Array, x: Array) -> Array:
    return a @ x - jnp.mean(a, axis=0, keepdims=True) @ x


def _centred_transposed_times(a: Array, y: Array) -> Array:
    return a.mT @ y - jnp.mean(a, axis=0)[:, None] * jnp.sum(y, axis=0)


def sparse(a: Any) -> LinearOperator:
    """A sparse matrix of `jax.experimental.sparse`, such as `BCOO`.

    Derivatives are with respect to its stored entries.
    """
    return LinearOperator(a, _sparse_times, _sparse_transposed_times, (a.shape[0], a.shape[1]), a.dtype)


def _sparse_times(a: Any, x: Array) -> Array:
    return a @ x


def _sparse_transposed_times(a: Any, y: Array) -> Array:
    return a.T @ y


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Products:
    """A `LinearOperator`, or its transpose, as an `Operand`."""

    operator: LinearOperator
    finite: Array  # (..., 1, 1); its leading dimensions are those that `vmap` has put in front of the parameters
    transposed: bool = field(metadata={"static": True})

    @property
    def shape(self) -> tuple[int, ...]:
        """(..., p, q)."""
        m, n = self.operator.shape
        return (*self.finite.shape[:-2], *((n, m) if self.transposed else (m, n)))

    @property
    def dtype(self) -> jnp.dtype:
        """The type that is computed in."""
        return jnp.dtype(self.operator.dtype)

    @property
    def by_columns(self) -> bool:
        """Always: operators return columns."""
        return True

    def __matmul__(self, x: Array) -> Array:
        return self._batched(self.transposed, x)

    def __rmatmul__(self, x: Array) -> Array:
        return self._batched(not self.transposed, x.mT).mT

    def _batched(self, transposed: bool, x: Array) -> Array:
        product = self.operator.rmatmat if transposed else self.operator.matmat
        for _ in self.finite.shape[:-2]:
            product = jax.vmap(product)
        return product(self.operator.parameters, x)

    def dense(self) -> Array:
        """The matrix, by a product with an identity matrix."""
        p = self.shape[-2]
        return jnp.broadcast_to(jnp.eye(p, dtype=self.dtype), (*self.shape[:-1], p)) @ self

    def derivative(self, tangent: "Products") -> "Derivative":
        """Along a tangent of the parameters."""
        return Derivative(self, tangent)

    def with_tangents_in_units(self) -> "Products":
        """The same: an operator is not scaled."""
        return self

    def with_own_tangents(self) -> "Products":
        """The same: an operator is not scaled."""
        return self


@dataclass(frozen=True)
class Derivative:
    """The derivative of an operand, by its products."""

    primal: Products
    tangent: Products

    def __matmul__(self, x: Array) -> Array:
        return self._along(lambda a: a @ x)

    def __rmatmul__(self, x: Array) -> Array:
        return self._along(lambda a: x @ a)

    def _along(self, product: Callable[[Any], Array]) -> Array:
        return jax.jvp(product, (self.primal,), (self.tangent,))[1]
