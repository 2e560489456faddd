"""Kernels that are traced only where a program is compiled for a TPU.

`lax.platform_dependent` traces the branches of all platforms and drops those that it does not need. The kernels are
long: on a CPU, tracing them took half of the time until a first small program ran.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
from jax import Array
from jax.extend.core import Primitive
from jax.interpreters import batching, mlir
from jax.sharding import NamedSharding, PartitionSpec

from ..matrices import full_precision

Kernels: TypeAlias = Callable[[Array], Any]  # of a stack (..., p, q): arrays, alone or in containers
Shapes: TypeAlias = Sequence[tuple[int, ...]]
KernelRunner: TypeAlias = Callable[[Kernels, Shapes, Array], list[Array]]


def traced_now(kernels: Kernels, shapes: Shapes, a: Array) -> list[Array]:
    """`kernels(a)` as a list, traced like everything else."""
    return _traced(a, kernels=kernels, shapes=shapes)


def traced_when_lowered(kernels: Kernels, shapes: Shapes, a: Array) -> list[Array]:
    """`kernels(a)` as a list, for the TPU's branch of `lax.platform_dependent`: elsewhere, results are NaN.

    There are no derivatives: they belong to a rule around the call.

    Args:
        kernels: is traced later, outside of contexts that surround this call.
        shapes: of the results, in order, with the leading dimensions of `a`. They have the type of `a`.
        a: (..., p, q).
    """
    return _deferred.bind(a, kernels=kernels, shapes=tuple(shapes))


@full_precision
def _traced(a: Array, *, kernels: Kernels, shapes: Shapes) -> list[Array]:
    del shapes
    with jax.enable_x64(False):  # a TPU has no 64-bit types; enabled, they would turn up in the kernels' loops
        return jax.tree.leaves(kernels(a))


def _never_run(a: Array, *, kernels: Kernels, shapes: Shapes) -> list[Array]:
    """A program for several platforms holds the branches of all of them on each, and chooses when it runs."""
    del kernels
    return [jnp.full(shape, jnp.nan, a.dtype) for shape in shapes]


def _types(a: Any, *, kernels: Kernels, shapes: Shapes) -> list[Any]:
    """Over devices, results are spread along the leading dimensions as `a` is, and differ where `a` does."""
    del kernels
    leading = tuple(a.sharding.spec)[: a.ndim - 2]

    def result(shape: tuple[int, ...]) -> Any:
        spec = PartitionSpec(*leading, *(None,) * (len(shape) - len(leading)))
        return a.update(shape=shape, sharding=NamedSharding(a.sharding.mesh, spec))

    return [result(shape) for shape in shapes]


def _batched(
    arguments: Sequence[Array], axes: Sequence[int], *, kernels: Kernels, shapes: Shapes
) -> tuple[list[Array], list[int]]:
    a = jnp.moveaxis(arguments[0], axes[0], 0)
    results = traced_when_lowered(jax.vmap(kernels), [(len(a), *shape) for shape in shapes], a)
    return results, [0] * len(results)


_deferred = Primitive("traced_when_lowered")
_deferred.multiple_results = True
_deferred.def_impl(_traced)
_deferred.def_abstract_eval(_types)
batching.primitive_batchers[_deferred] = _batched
mlir.register_lowering(_deferred, mlir.lower_fun(_never_run, multiple_results=True))
mlir.register_lowering(_deferred, mlir.lower_fun(_traced, multiple_results=True), platform="tpu")
