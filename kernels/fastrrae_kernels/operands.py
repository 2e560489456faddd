"""What is decomposed, as the products that the methods and the derivative rule need of it.

A dense matrix is neither copied nor transposed nor scaled: its scale is folded into the other factor of each product.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
from jax import Array, lax

from .matrices import full_precision, product_over_rows


class Operand(Protocol):
    """A matrix (..., p, q), for which `a @ x` and `x @ a` are its products. A pytree."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(..., p, q); of this device's part, where q is sharded."""
        ...

    @property
    def dtype(self) -> jnp.dtype:
        """The type that is computed in."""
        ...

    @property
    def by_columns(self) -> bool:
        """Whether `x @ a` (..., b, q) is stored as its transpose, (..., q, b)."""
        ...

    @property
    def finite(self) -> Array:
        """(..., 1, 1), false where an entry is known to be NaN or infinite."""
        ...

    def __matmul__(self, x: Array, /) -> Array: ...

    def __rmatmul__(self, x: Array, /) -> Array: ...

    def dense(self) -> Array:
        """The matrix itself, zero where it is not finite: other matrices of a stack do not notice it."""
        ...

    def derivative(self, tangent: Any) -> Any:
        """The derivative of the matrix along a tangent of this pytree, for which `da @ x` and `x @ da` are products."""
        ...

    def with_tangents_in_units(self) -> "Operand":
        """The same, whose tangents are of the matrix as it was given: see `in_units`."""
        ...

    def with_own_tangents(self) -> "Operand":
        """The same, whose tangents are of what is decomposed."""
        ...


class Scale(NamedTuple):
    """Powers of two (..., 1, 1), in two factors each: one factor could be out of range."""

    grow: tuple[Array, Array]  # their product is the scale
    shrink: tuple[Array, Array]  # its inverse


def scale_of(largest: Array) -> Scale:
    """The power of two just below `largest`; 1 where that is zero, infinite or NaN."""
    largest = lax.stop_gradient(largest)
    usable = (largest > 0) & jnp.isfinite(largest)
    exponent = jnp.where(usable, jnp.frexp(jnp.where(usable, largest, 1))[1] - 1, 0)
    half, one = exponent // 2, jnp.ones_like(largest)
    rest = exponent - half
    return Scale((jnp.ldexp(one, half), jnp.ldexp(one, rest)), (jnp.ldexp(one, -half), jnp.ldexp(one, -rest)))


@partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def in_units(
    function: Callable[[Any, Array | None, Array | None], tuple[Array, ...]],
    degrees: tuple[int, ...],
    scale: Scale,
    a: Any,
    start: Array | None,
    kept: Array | None,
) -> tuple[Array, ...]:
    """`function(a, start, kept)` of a scaled `Operand`, as results for the matrix as it was given.

    A result of degree d is proportional to the d-th power of the matrix: singular values and products have degree 1,
    singular vectors have degree 0.

    For a scale of 1e-38 the derivative of `a / scale` overflows, where that of the result may not. So the function is
    differentiated along the tangent of the matrix as it was given, and the scale is left out of both the tangent and
    its result: one degree less. Further derivatives are those of this formula, and nothing is left out of them.
    """
    return _times_powers(degrees, function(a, start, kept), scale)


@in_units.defjvp
def _in_units_jvp(function, degrees, primals, tangents):
    (scale, a, start, kept), (_, da, _, _) = primals, tangents
    results, derivatives = jax.jvp(
        lambda a: function(a, start, kept), (a.with_tangents_in_units(),), (da.with_tangents_in_units(),)
    )
    lower = tuple(degree - 1 for degree in degrees)
    return _times_powers(degrees, results, scale), _times_powers(lower, derivatives, scale)


def _times_powers(degrees: tuple[int, ...], results: tuple[Array, ...], scale: Scale) -> tuple[Array, ...]:
    return tuple(_times_power(degree, x, scale) for degree, x in zip(degrees, results, strict=True))


def _times_power(degree: int, x: Array, scale: Scale) -> Array:
    for _ in range(abs(degree)):
        for factor in scale.grow if degree > 0 else scale.shrink:
            x = x * factor
    return x


class Oriented(NamedTuple):
    """An array or its transpose, by its products; their derivatives are made in the layout of the array, too.

    XLA makes a transposition part of a product. For a large matrix and few columns its CPU backend then takes up to
    four times as long (100000 x 512 and 24 columns: 112 ms against 31, and 124 against 51). Fast are `a @ x`, and
    `x.mT @ a` with the columns of `x` side by side in memory; so the small factors are brought into that form, apart
    from the product.
    """

    a: Array  # (..., m, n)
    transposed: bool

    def __matmul__(self, x: Array) -> Array:
        return _in_memory(product_over_rows(_in_memory(x), self.a)).mT if self.transposed else self.a @ x

    def __rmatmul__(self, x: Array) -> Array:
        return _in_memory(self.a @ x.mT).mT if self.transposed else product_over_rows(_in_memory(x.mT), self.a)


_in_memory = lax.optimization_barrier  # with its rows one after the other


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Dense:
    """`a / scale`, or its transpose: an array as an `Operand`."""

    a: Array  # (..., m, n)
    scale: Scale
    finite: Array  # (..., 1, 1)
    transposed: bool = field(metadata={"static": True})
    tangents_in_units: bool = field(default=False, metadata={"static": True})  # see `in_units`

    @property
    def shape(self) -> tuple[int, ...]:
        """(..., p, q)."""
        return (self.a.mT if self.transposed else self.a).shape

    @property
    def dtype(self) -> jnp.dtype:
        """The type that is computed in."""
        return self.a.dtype

    @property
    def by_columns(self) -> bool:
        """If the array is transposed."""
        return self.transposed

    @full_precision
    def __matmul__(self, x: Array) -> Array:
        first, second = self.scale.shrink
        return (Oriented(self.a, self.transposed) @ (x * first)) * second

    @full_precision
    def __rmatmul__(self, x: Array) -> Array:
        first, second = self.scale.shrink
        return ((x * first) @ Oriented(self.a, self.transposed)) * second

    def dense(self) -> Array:
        """A scaled copy, zero where it is not finite."""
        first, second = self.scale.shrink
        a = jnp.where(self.finite, self.a * first * second, 0)
        return a.mT if self.transposed else a

    def derivative(self, tangent: "Dense") -> Oriented:
        """The tangent of `a / scale`, or of `a` where `tangents_in_units`, on its side."""
        first, second = self.scale.shrink
        return Oriented(tangent.a if self.tangents_in_units else tangent.a * first * second, self.transposed)

    def with_tangents_in_units(self) -> "Dense":
        """The same, whose derivative rule takes tangents of the matrix as it was given."""
        return replace(self, tangents_in_units=True)

    def with_own_tangents(self) -> "Dense":
        """The same, whose derivatives are those of the scaled matrix."""
        return replace(self, tangents_in_units=False)
