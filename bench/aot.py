"""What does the truncated SVD cost on TPUs that are not there: compile time, program, arithmetic, memory, exchanges?

Compiles forward and gradient of `low_rank` and `truncated_svd` for slices by name, beside XLA's own `svd` and `eigh`,
with the compiler in the wheel `libtpu` (Linux, Python 3.12); where it is missing, this is skipped. Nothing runs: there
are no times here but the compiler's.

    JAX_PLATFORMS=cpu python bench/aot.py [--topologies v5e:2x4] [--shapes celeba] [--stacks 1] [--smoke] [--out FILE]

*cycles* are those that the compiler schedules, read from its dump (`fastrrae/plan/tpu_schedules.py`; waiting for memory
is not in them). Loops whose end is decided at run time are multiplied by counts that were measured by the interpreter
on one matrix of each name (`fastrrae/plan/svd_loops.py`; in a stack, all matrices are taken to be like that one); for
XLA's own decompositions, whose counts are not known, such loops count once. The dump is an undocumented part of libtpu:
where it is missing, the column says so.

*needed* is the arithmetic of the matrix products that the method cannot do without (`needed_flops`); *flops* is what
XLA counts in the program, with the kernels' own estimates for theirs. A loop counts once.
"""

import argparse
import importlib.util
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from timing import describe_machine

from fastrrae.plan.collectives import collectives_of
from fastrrae.plan.svd_loops import NAMES, loop_counts
from fastrrae.plan.topology import Topology
from fastrrae.plan.tpu_schedules import FILES, clear, dump_of_schedules, program_parts
from fastrrae_kernels import Gram, Tracked, low_rank, specs, tracked_low_rank_and_svd, truncated_svd

ROWS = PartitionSpec("data")
EIGH = "eigh of the Gram matrix"


def main() -> None:
    """Compile everything, print a line for each program, keep the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--topologies", default="v5e:2x4,v4:2x2x2,v6e:2x4")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "aot-tpu.json")
    parser.add_argument("--shapes", default=",".join(shape.name for shape in specs.SHAPES))
    parser.add_argument("--stacks", default="1,32", help="numbers of matrices")
    parser.add_argument("--no-peers", action="store_true", help="leave XLA's svd and eigh out: they take minutes")
    parser.add_argument("--tracked", action="store_true", help="only a tracked SVD that need not be exact, where it is")
    parser.add_argument("--smoke", action="store_true", help="one small matrix, without peers: does it run")
    asked = parser.parse_args()
    if importlib.util.find_spec("libtpu") is None:
        print("bench/aot.py: skipped, as there is no libtpu (Linux, Python 3.12): `pip install fastrrae[tpu-aot]`")
        return
    shapes = [shape for shape in specs.SHAPES if shape.name in asked.shapes.split(",")]
    if asked.smoke:
        shapes, asked.topologies, asked.stacks, asked.no_peers = [specs.Shape("small", 16, 24, 3)], "v5e:2x4", "1", True
    dump = dump_of_schedules()
    folder = None if dump is None else Path(dump.name)
    kind = tracked_programs if asked.tracked else all_programs
    rows = []
    for row in kind(asked, shapes, folder):
        rows.append(row)
        print(line(row), flush=True)
    asked.out.write_text(json.dumps({"machine": describe_machine(), "rows": rows}, indent=2) + "\n")


def all_programs(asked: argparse.Namespace, shapes: list[specs.Shape], folder: Path | None) -> Iterator[dict[str, Any]]:
    """A row for each program on each topology."""
    counts = {
        (shape.name, sharded): {name: loop_counts(name, shape.m, shape.n, shape.k, sharded=sharded) for name in NAMES}
        for shape in shapes
        for sharded in (False, True)
    }
    for name in asked.topologies.split(","):
        mesh = Mesh(np.array(Topology.parse(name).devices()), ("data",), axis_types=(AxisType.Auto,))
        for shape in shapes:
            for count in map(int, asked.stacks.split(",")):
                stack = () if count == 1 else (count,)
                schedules = Schedules(folder, counts[shape.name, False], counts[shape.name, True])
                peers = not asked.no_peers and name.startswith("v5e")
                for row in programs(mesh, shape, stack, schedules, peers=peers):
                    yield {"topology": name, **row}


class Schedules(NamedTuple):
    """Where the compiler leaves its schedules, if it does, and how often loops run for matrices by name."""

    folder: Path | None
    counts: dict[str, dict[str, float]]
    counts_sharded: dict[str, dict[str, float]]

    def cycles(self, hlo: str) -> dict[str, Any] | str:
        """Of a program that was just compiled: in all by the name of a matrix, and by kernel for the first."""
        if self.folder is None or not any(self.folder.glob(FILES)):
            return "this libtpu dumps no schedules"
        found = {name: program_parts(hlo, self.folder, counts) for name, counts in self.counts.items()}
        first = next(iter(found))
        by_kernel: dict[str, float] = {}
        for part in found[first]:
            by_kernel[part.name] = by_kernel.get(part.name, 0) + part.cycles
        longest = sorted(by_kernel.items(), key=lambda item: -item[1])[:8]
        estimated = sum(part.cycles for part in found[first] if not part.scheduled)
        return {
            **{name: round(sum(part.cycles for part in parts)) for name, parts in found.items()},
            f"longest, {first}": {name: round(cycles) for name, cycles in longest},
            "not scheduled but estimated": round(estimated),
        }


def programs(mesh: Mesh, shape: specs.Shape, stack: tuple[int, ...], schedules: Schedules, *, peers: bool) -> Any:
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
            EIGH: lambda a: jnp.linalg.eigh(smaller_gram(a)),
        }
    one = Mesh(mesh.devices.flat[:1], ("data",), axis_types=(AxisType.Auto,))
    for name, function in contenders.items():
        ours = name in ("truncated_svd", "low_rank")
        schedule = schedules if ours else schedules._replace(counts={"every loop once": {}})
        yield describe(f"{name}, forward", function, a, one, PartitionSpec(), shape, schedule)
        if name != EIGH:
            yield describe(name, with_gradient(function), a, one, PartitionSpec(), shape, schedule)
    if not stack:
        on_shards = schedules._replace(counts=schedules.counts_sharded)

        def sharded(a: jax.Array) -> jax.Array:
            whole = lambda a: low_rank(a, k, method=Gram(), axis_name="data")  # noqa: E731
            return jax.shard_map(whole, mesh=mesh, in_specs=ROWS, out_specs=ROWS)(a)

        yield describe("low_rank, sharded", with_gradient(sharded), a, mesh, ROWS, shape, on_shards)


CONJUGATE_GRADIENTS = 5  # to 1e-4, where the first singular value beyond the basis is 0.65 of the last kept one


def tracked_programs(
    asked: argparse.Namespace, shapes: list[specs.Shape], folder: Path | None
) -> Iterator[dict[str, Any]]:
    """Rows of tracked SVDs on one device of each topology, at the shapes that can be tracked."""
    for name in asked.topologies.split(","):
        one = Mesh(np.array(Topology.parse(name).devices())[:1], ("data",), axis_types=(AxisType.Auto,))
        for shape in shapes:
            if Tracked().applies(shape.k, min(shape.m, shape.n)):
                for row in tracked(one, shape, folder):
                    yield {"topology": name, **row}


def tracked(one: Mesh, shape: specs.Shape, folder: Path | None) -> Iterator[dict[str, Any]]:
    """Rows for steps of `tracked_low_rank_and_svd` in which the basis was good enough.

    Its eigenproblem, of the basis, is counted as if the matrix had each of the named spectra there. The basis becomes
    orthonormal in two rounds, the second of them a step of Newton and Schulz, as the bases of these spectra do where a
    batch differs from the last one by 2 % of noise; a round before them is always taken.
    """
    k, block = shape.k, Tracked().block(shape.k)
    good = {
        "tracked": 1.0,
        "judged": 1.0,
        "tracked/orthonormalise": 2.0,
        "tracked/orthonormalise/nearly": 1.0,
        "tracked/nearly": 0.0,
        "conjugate_gradients": CONJUGATE_GRADIENTS,
    }
    within = {name: loop_counts(name, shape.m, block, k) for name in NAMES}
    counts = {name: good | {f"tracked/{scope}": n for scope, n in found.items()} for name, found in within.items()}
    schedules = Schedules(folder, counts, {})
    a = jax.ShapeDtypeStruct((shape.m, shape.n), jnp.float32)

    def approximate(a: jax.Array) -> jax.Array:
        return tracked_low_rank_and_svd(a, k, jax.lax.stop_gradient(a[:block])).low_rank

    yield describe("tracked low_rank, forward", approximate, a, one, PartitionSpec(), shape, schedules)
    yield describe("tracked low_rank", with_gradient(approximate), a, one, PartitionSpec(), shape, schedules)


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
    name: str,
    function: Callable,
    a: Any,
    mesh: Mesh,
    spec: PartitionSpec,
    shape: specs.Shape,
    schedules: Schedules,
) -> dict[str, Any]:
    """Compile one program, and say what it is."""
    argument = jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=NamedSharding(mesh, spec))
    with jax.set_mesh(mesh):
        lowered = jax.jit(function).trace(argument).lower(lowering_platforms=("tpu",))
    if schedules.folder is not None:
        clear(schedules.folder)
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
        "cycles": schedules.cycles(text),
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
    cycles = row["cycles"]
    if isinstance(cycles, dict):
        cycles = ", ".join(f"{name} {count / 1e6:.2f} M" for name, count in list(cycles.items())[:-2])
    exchanges = ", ".join(f"{found['kind']} {found['bytes']} B" for found in row["exchanges"])
    return (
        f"{row['topology']:8s} {row['program']:24s} {size:12s} k={row['rank']:<4d} "
        f"compile {row['compile_seconds']:6.2f} s  kernels {row['kernels']}  flops {flops / 1e9:8.3f} G "
        f"({flops / row['needed_flops']:6.1f} of needed)  temporary {row['temporary_bytes'] / 1e6:7.1f} MB  "
        f"cycles {cycles}  {exchanges}"
    )


if __name__ == "__main__":
    main()
