"""What does the truncated SVD cost on TPUs that are not there: compile time, program, arithmetic, memory, exchanges?

Compiles forward and gradient of `low_rank` and `truncated_svd` for slices by name, beside XLA's own `svd` and `eigh`,
with the compiler in the wheel `libtpu` (Linux, Python 3.12). Nothing runs: there are no times here but the compiler's.

    JAX_PLATFORMS=cpu python bench/aot.py [--topologies v5e:2x4,v4:2x2x2] [--out FILE] [--no-peers]

*needed* is the arithmetic of the matrix products that the method cannot do without (`needed_flops`); *flops* is what
XLA counts in the program, with the kernels' own estimates for theirs: two sweeps of rotations, which random matrices
need one of, and graded ones four to six. A loop counts once.
"""

import argparse
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from timing import describe_machine

from fastrrae.plan.collectives import collectives_of
from fastrrae.plan.topology import Topology
from fastrrae_kernels import Gram, low_rank, specs, truncated_svd

STACKS = ((), (32,))
ROWS = PartitionSpec("data")


def main() -> None:
    """Compile everything, print a line for each program, keep the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--topologies", default="v5e:2x4,v4:2x2x2,v6e:2x4")
    parser.add_argument("--out", type=Path, default=Path("bench/results/aot-tpu.json"))
    parser.add_argument("--no-peers", action="store_true", help="leave XLA's svd and eigh out: they take minutes")
    asked = parser.parse_args()
    rows = []
    for name in asked.topologies.split(","):
        mesh = Mesh(np.array(Topology.parse(name).devices()), ("data",), axis_types=(AxisType.Auto,))
        for shape in specs.SHAPES:
            for stack in STACKS:
                for row in programs(mesh, shape, stack, peers=not asked.no_peers and name.startswith("v5e")):
                    rows.append({"topology": name, **row})
                    print(line(rows[-1]), flush=True)
    asked.out.write_text(json.dumps({"machine": describe_machine(), "rows": rows}, indent=2) + "\n")


def programs(mesh: Mesh, shape: specs.Shape, stack: tuple[int, ...], *, peers: bool) -> Any:
    """A row for each contender at one shape; the sharded one on all devices, the others on one."""
    k = shape.k
    a = jax.ShapeDtypeStruct((*stack, shape.m, shape.n), jnp.float32)
    contenders: dict[str, Callable[[jax.Array], Any]] = {
        "truncated_svd": lambda a: truncated_svd(a, k, method=Gram()),
        "low_rank": lambda a: low_rank(a, k, method=Gram()),
    }
    if peers:
        contenders |= {
            "jnp.linalg.svd": lambda a: jnp.linalg.svd(a, full_matrices=False),
            "eigh of the Gram matrix": lambda a: jnp.linalg.eigh(smaller_gram(a)),
        }
    one = Mesh(mesh.devices.flat[:1], ("data",), axis_types=(AxisType.Auto,))
    for name, function in contenders.items():
        yield describe(name, with_gradient(function), a, one, PartitionSpec(), shape)
    if not stack:

        def sharded(a: jax.Array) -> jax.Array:
            whole = lambda a: low_rank(a, k, method=Gram(), axis_name="data")  # noqa: E731
            return jax.shard_map(whole, mesh=mesh, in_specs=ROWS, out_specs=ROWS)(a)

        yield describe("low_rank, sharded", with_gradient(sharded), a, mesh, ROWS, shape)


def smaller_gram(a: jax.Array) -> jax.Array:
    """The Gram matrix of the shorter side."""
    wide = a if a.shape[-2] <= a.shape[-1] else jnp.swapaxes(a, -1, -2)
    return jnp.matmul(wide, jnp.swapaxes(wide, -1, -2), precision="highest")


def with_gradient(function: Callable[[jax.Array], Any]) -> Callable[[jax.Array], Any]:
    """Forward, and a gradient for some cotangent."""

    def both(a: jax.Array) -> Any:
        result, pull = jax.vjp(function, a)
        return result, pull(jax.tree.map(jnp.cos, result))

    return both


def describe(
    name: str, function: Callable, a: Any, mesh: Mesh, spec: PartitionSpec, shape: specs.Shape
) -> dict[str, Any]:
    """Compile one program, and say what it is."""
    argument = jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=NamedSharding(mesh, spec))
    with jax.set_mesh(mesh):
        lowered = jax.jit(function).trace(argument).lower(lowering_platforms=("tpu",))
    start = time.perf_counter()
    compiled = lowered.compile()
    seconds = time.perf_counter() - start
    text, cost, memory = compiled.as_text(), compiled.cost_analysis(), compiled.memory_analysis()
    assert text is not None
    assert cost is not None
    assert memory is not None
    exchanges = [{"kind": found.kind, "bytes": found.bytes} for found in collectives_of(text)]
    return {
        "shape": shape.name,
        "size": list(a.shape),
        "rank": shape.k,
        "program": name,
        "compile_seconds": round(seconds, 2),
        "kernels": len(re.findall(r"tpu_custom_call", text)),
        "flops": cost.get("flops"),
        "needed_flops": needed_flops(a.shape, shape.k),
        "bytes_accessed": cost.get("bytes accessed"),
        "program_bytes": memory.generated_code_size_in_bytes,
        "temporary_bytes": memory.temp_size_in_bytes,
        "exchanges": exchanges,
    }


def needed_flops(size: tuple[int, ...], rank: int) -> int:
    """Matrix products of the method alone, forward and gradient, p the smaller side and q the other.

    Forward: the Gram matrix, the matrix turned to a start, that one's Gram matrix, and the matrix turned to the end
    (four of p p q); the two turns composed (p p p). Gradient: the four products of the rule with `a` or its cotangent
    (rank p q), and two with the eigenbasis (rank p p).
    """
    *stack, m, n = size
    p, q = sorted((m, n))
    count = int(np.prod(stack, initial=1))
    return 2 * count * (4 * p * p * q + p * p * p + 4 * rank * p * q + 2 * rank * p * p)


def line(row: dict[str, Any]) -> str:
    """One program in short."""
    size = "x".join(map(str, row["size"]))
    flops = row["flops"] or 0
    exchanges = ", ".join(f"{found['kind']} {found['bytes']} B" for found in row["exchanges"])
    return (
        f"{row['topology']:8s} {row['program']:24s} {size:12s} k={row['rank']:<4d} "
        f"compile {row['compile_seconds']:6.2f} s  kernels {row['kernels']}  flops {flops / 1e9:8.3f} G "
        f"({flops / row['needed_flops']:6.1f} of needed)  temporary {row['temporary_bytes'] / 1e6:7.1f} MB  {exchanges}"
    )


if __name__ == "__main__":
    main()
