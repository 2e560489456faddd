"""How the kernels run on a stack of matrices: a program for each or for a few, all of it in vector memory."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jax import Array
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu
from jax.typing import DTypeLike

# How a kernel runs elsewhere than on a TPU, for tests: its arithmetic through XLA, or with a TPU's memory simulated.
Interpret: TypeAlias = bool | pltpu.InterpretParams

reciprocal = getattr(pltpu, "reciprocal", None) or pl.reciprocal  # where it moved to, and where JAX 0.10 has it


# Up to this many columns, the kernels process eight matrices at once: each step depends on the one before, and the
# steps of the other matrices hide its latency. A step on a larger matrix has enough work to hide it by itself.
SMALL, TOGETHER = 128, 8


class Part(NamedTuple):
    """What a program sees of a stacked operand (count, *shape), as a block (matrices, *shape)."""

    shape: tuple[int, ...]
    dtype: DTypeLike = jnp.float32
    memory: Any = None  # by default that of vectors

    def spec(self, matrices: int) -> pl.BlockSpec:
        """The block of program i."""
        return pl.BlockSpec((matrices, *self.shape), lambda i: (i, *(0 for _ in self.shape)), memory_space=self.memory)


def matrix_part(rows: int, columns: int | None = None) -> Part:
    """A matrix, square by default."""
    return Part((rows, rows if columns is None else columns))


def row_part(d: int, dtype: DTypeLike = jnp.float32) -> Part:
    """A row (1, d), a number a lane."""
    return Part((1, d), dtype)


def scalar_part(d: int, dtype: DTypeLike = jnp.float32) -> Part:
    """A row (1, d) of numbers that can be read and written one by one."""
    return Part((1, d), dtype, pltpu.SMEM)


def padded_stack(a: Array, size: int) -> Array:
    """Square matrices (..., d, d) as a stack (count, size, size), zero beyond d."""
    more = size - a.shape[-1]
    return jnp.pad(a.reshape(-1, *a.shape[-2:]), ((0, 0), (0, more), (0, more)))


def matrices_together(count: int, d: int) -> int:
    """How many of `count` matrices of d columns a program should take whose steps wait for each other."""
    return min(TOGETHER, 1 << (count - 1).bit_length()) if d <= SMALL else 1


def for_each_matrix(
    kernel: Callable[..., None],
    operands: Sequence[tuple[Array, Part]],
    outputs: Sequence[Part],
    scratch: Sequence[Any],
    *,
    flops: int,
    name: str,
    interpret: Interpret,
    together: int = 1,
) -> tuple[Array, ...]:
    """Run `kernel(*operand_refs, *output_refs, *scratch_refs)` for each matrix of a stack, or for a few at a time.

    Args:
        kernel: one program.
        operands: arrays (count, *shape), and what a program sees of them.
        outputs: what a program writes; the results are (count, *shape).
        scratch: memory of a program.
        flops: an estimate of a program's arithmetic.
        name: shown by profilers, and in compiled programs.
        interpret: False on TPUs.
        together: how many matrices a program takes; the stack is filled up with zeros.
    """
    asked = operands[0][0].shape[0]
    missing = -asked % together
    if missing:
        operands = [(jnp.pad(x, ((0, missing), *((0, 0),) * (x.ndim - 1))), part) for x, part in operands]
    first = operands[0][0]
    count = first.shape[0]

    def result(part: Part) -> Any:
        # Inside `shard_map`, results differ along the mesh axes along which the operand does.
        shape = (count, *part.shape)
        return jax.ShapeDtypeStruct(shape, part.dtype, manual_axis_type=jax.typeof(first).manual_axis_type)

    results = [result(part) for part in outputs]
    moved = sum(x.size * x.dtype.itemsize for x in (*(array for array, _ in operands), *results))
    found = pl.pallas_call(
        kernel,
        grid=(count // together,),
        in_specs=[part.spec(together) for _, part in operands],
        out_specs=[part.spec(together) for part in outputs],
        out_shape=results,
        scratch_shapes=scratch,
        interpret=interpret,
        name=name,
        cost_estimate=pl.CostEstimate(flops=count * flops, transcendentals=0, bytes_accessed=moved),
    )(*(array for array, _ in operands))
    return tuple(x[:asked] for x in found) if missing else found
