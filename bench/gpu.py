"""How fast and how accurate is the truncated SVD on a GPU, compared with XLA's algorithms and with PyTorch?

Every contender is compiled first, several at a time, and then timed alone, in one process and on the same float32
matrices: the shapes of `specs.SHAPES` with two spectra, and stacks of 32 and of 1024. Times are medians of calls that
are waited for. The gradient is that of a weighted sum of all entries of u, s and vt. Decompositions that stand for one
algorithm of XLA are timed without a gradient.

    python bench/gpu.py [--stacks 1,32,1024] [--shapes celeba] [--large] [--contenders ...] [--smoke] [--out FILE]

A training step is measured by `bench/train_step.py --recipes mnist,celeba --out FILE`.
"""

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("XLA_PYTHON_CLIENT_MEM_FRACTION", "0.6")  # PyTorch needs its share of the same card

import jax
import jax.numpy as jnp
import numpy as np
from gpu_contenders import (
    FORWARD_ALONE,
    NEARBY,
    WHOLE,
    WITH_GRADIENT,
    Contender,
    as_tensor,
    compiled,
    on_host,
    rows_of_start,
    started,
    torch_contenders,
    weights_of,
)
from large_svd import DECAYS, SHAPES, Large, with_spectrum
from svd import errors
from timing import describe_machine

from fastrrae_kernels import specs

CHECKED = 4  # matrices of a stack whose errors are computed, in float64 on the host
TOO_LONG = 1.0  # seconds: calls that take longer are timed twice, and their gradient is left out
LONG_ENOUGH = 0.3  # seconds that a contender is timed for
ITERATIONS = (1, 4, 8, 16, 32, 64)  # values of `niter` for `torch.svd_lowrank` on large matrices; 2 is its default

SPECTRA = {"0.97^i": lambda i: 0.97**i, "harmonic": DECAYS["harmonic"]}
LARGE = [specs.Shape(name, *SHAPES[name][1:]) for name in ("tall", "square")]  # with harmonic singular values


@dataclass(frozen=True)
class Case:
    """A stack of matrices of one shape and spectrum."""

    shape: specs.Shape
    stack: int
    spectrum: str

    @property
    def size_of_stack(self) -> tuple[int, ...]:
        """The leading dimensions: none for a single matrix."""
        return () if self.stack == 1 else (self.stack,)

    def matrices(self) -> np.ndarray:
        """Float32, (m, n) or (stack, m, n)."""
        m, n = self.shape.m, self.shape.n
        if self.spectrum == "normal":
            return np.random.default_rng(0).standard_normal((*self.size_of_stack, m, n), np.float32)
        a = with_spectrum(SPECTRA[self.spectrum](np.arange(min(m, n))), Large((), m, n, self.shape.k))
        return a if self.stack == 1 else np.stack([np.roll(a, i, axis=0) for i in range(self.stack)])

    def values(self, matrices: np.ndarray) -> np.ndarray:
        """The singular values of some of them."""
        if self.spectrum == "normal":
            return np.linalg.svd(matrices, compute_uv=False)
        values = SPECTRA[self.spectrum](np.arange(min(self.shape.m, self.shape.n)))
        return np.broadcast_to(values, (*matrices.shape[:-2], len(values)))


def milliseconds(call: Callable[[], Any]) -> float:
    """The median of several calls after one to warm up; of two where they take long."""
    times: list[float] = []
    start = time.perf_counter()
    call()
    first = time.perf_counter() - start
    for _ in range(2 if first > TOO_LONG else max(3, min(25, int(LONG_ENOUGH / max(first, 1e-4))))):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1e3 * float(np.median(times))


def all_errors(exact: np.ndarray, values: np.ndarray, factors: Any) -> dict[str, float]:
    """The errors of `svd.errors`, and the largest entry of `u^T u - 1` and `v^T v - 1`, of the matrices in `exact`."""
    u, s, vt = map(on_host, factors)
    if exact.ndim == 3:
        u, s, vt = u[:CHECKED], s[:CHECKED], vt[:CHECKED]
    identity = np.eye(s.shape[-1])
    orthonormality = [np.abs(gram - identity).max() for gram in (u.mT @ u, vt @ vt.mT)]
    return errors(exact, values, (u, s, vt)) | {"orthonormality_error": float(max(orthonormality))}


def measure(
    pool: ThreadPoolExecutor, cases: list[Case], asked_for: Callable[[str], bool]
) -> Iterator[list[dict[str, Any]]]:
    """For each of the cases, which differ in their spectra alone, a row per contender; one that fails says why."""
    shape, stack, k = cases[0].shape, cases[0].size_of_stack, cases[0].shape.k
    array = partial(jax.ShapeDtypeStruct, dtype=jnp.float32)
    any_of_them = array((*stack, shape.m, shape.n))
    weights = weights_of(any_of_them.shape, k)
    on_device = jax.tree.map(jnp.asarray, weights)
    futures: dict[str, Future[Contender]] = {}
    for name, svd in (WITH_GRADIENT | FORWARD_ALONE).items():
        if asked_for(name):
            futures[name] = pool.submit(compiled, svd, k, (any_of_them,), on_device, gradient=name in WITH_GRADIENT)
    for name, method in NEARBY.items():
        if asked_for(name):
            start = array((*stack, rows_of_start(method, k), shape.n))
            futures[name] = pool.submit(compiled, started(method), k, (any_of_them, start), on_device, gradient=True)
    wait(futures.values())  # timing starts when nothing is being compiled any more
    ready: dict[str, Callable[[], Contender]] = {name: future.result for name, future in futures.items()}
    for name, peer in torch_contenders(k, ITERATIONS if shape in LARGE else ()).items():
        if asked_for(name):
            ready[name] = partial(_given, peer)
    for case in cases:
        matrices = case.matrices()
        exact = np.asarray(matrices[:CHECKED] if matrices.ndim == 3 else matrices, np.float64)
        values = case.values(exact)
        a = jnp.asarray(matrices)
        nearby = right_vectors(a + 1e-3 * jnp.std(a) * jnp.roll(a, 1, -1))
        facts = {"shape": case.shape.name, "m": case.shape.m, "n": case.shape.n, "k": k}
        facts |= {"stack": case.stack, "spectrum": case.spectrum}
        rows = []
        for name, contender_of in ready.items():
            args: Any = (a,) if name in futures else (as_tensor(matrices),)
            if name in NEARBY:
                args = (a, nearby[..., : rows_of_start(NEARBY[name], k), :])
            towards = on_device if name in futures else tuple(map(as_tensor, weights))
            row = facts | {"contender": name} | times_and_errors(contender_of, args, towards, exact, values)
            rows.append(row)
            show(row)
        yield rows


@jax.jit
def right_vectors(a: jax.Array) -> jax.Array:
    """All right singular vectors as rows, as exactly as a float32 Gram matrix has them: a start need not be better."""
    return jnp.linalg.eigh(jnp.matmul(a.mT, a, precision="highest")).eigenvectors.mT[..., ::-1, :]


def _given(contender: Contender) -> Contender:
    return contender


def times_and_errors(
    contender_of: Callable[[], Contender], args: Any, weights: Any, exact: np.ndarray, values: np.ndarray
) -> dict[str, Any]:
    """Times and errors of one contender, or why there are none."""
    found: dict[str, Any] = {}
    try:
        contender = contender_of()
        found["compile_seconds"] = contender.compile_seconds
        found["forward_ms"] = milliseconds(lambda: contender.forward(args))
        gradient = contender.gradient
        if gradient is not None and found["forward_ms"] < 1e3 * TOO_LONG:
            found["forward_and_gradient_ms"] = milliseconds(lambda: gradient(args, weights))
        return found | all_errors(exact, values, contender.forward(args))
    except Exception as error:
        return {"failed": (str(error).strip().splitlines() or [type(error).__name__])[0][:200]}


def show(row: dict[str, Any]) -> None:
    """Print a line."""
    name = row["shape"] + (f" x {row['stack']}" if row["stack"] > 1 else "")
    cells = [
        f"{row[key]:9.3f}" if row.get(key) is not None else 9 * " " for key in ("forward_ms", "forward_and_gradient_ms")
    ]
    found = (
        row.get("failed")
        or f"{row['singular_value_error']:7.0e} {row['excess_over_optimum']:7.0e} {row['orthonormality_error']:7.0e}"
    )
    print(f"{name:16} {row['spectrum']:9} {row['contender']:41} {' '.join(cells)} {found}", flush=True)


def ceilings(size: int) -> dict[str, float]:
    """What the device can do: products in float32 (full precision and TF32) and float64, and a copy."""

    def rate(dtype: Any, precision: str) -> float:
        with jax.enable_x64(True), jax.default_matmul_precision(precision):
            a = jnp.asarray(np.random.default_rng(0).standard_normal((size, size)), dtype)
            run = jax.jit(lambda a: a @ a)
            return 2 * size**3 / milliseconds(lambda: jax.block_until_ready(run(a))) / 1e9

    a = jnp.asarray(np.random.default_rng(0).standard_normal((128, size, 128)), jnp.float32)
    copy = jax.jit(lambda a: a + 1)
    return {
        "float32_tflops": rate(jnp.float32, "highest"),
        "tf32_tflops": rate(jnp.float32, "default"),
        "float64_tflops": rate(jnp.float64, "highest"),
        "copy_terabytes_per_second": 2 * a.nbytes / milliseconds(lambda: jax.block_until_ready(copy(a))) / 1e9,
    }


def all_cases(shapes: list[specs.Shape], stacks: list[int]) -> Iterator[list[Case]]:
    """A list for each shape and stack: both spectra; for large stacks the one that is hard for float32 alone."""
    for stack in stacks:
        for shape in shapes:
            if stack * shape.m * shape.n < 10**8:
                yield [Case(shape, stack, spectrum) for spectrum in ("normal", "0.97^i")[stack > 32 :]]


def main() -> None:
    """Measure, print a table, write JSON after every case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "svd-gpu.json")
    parser.add_argument("--stacks", default="1,32,1024")
    parser.add_argument("--shapes", default=",".join(shape.name for shape in specs.SHAPES))
    parser.add_argument("--large", action="store_true", help="large matrices of which few triplets are wanted, too")
    parser.add_argument("--contenders", help="the names of some of them, separated by semicolons; all by default")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="that compile")
    parser.add_argument("--smoke", action="store_true", help="one small matrix on any device: does it run")
    args = parser.parse_args()
    if jax.default_backend() != "gpu" and not args.smoke:
        print("bench/gpu.py: skipped, as JAX sees no GPU")
        return
    shapes = [shape for shape in specs.SHAPES if shape.name in args.shapes.split(",")]
    stacks, size = [int(stack) for stack in args.stacks.split(",")], 8192
    if args.smoke:
        shapes, stacks, size = [specs.Shape("small", 12, 20, 3)], [1], 64
    result: dict[str, Any] = {"machine": describe_machine(), "ceilings": [ceilings(size)]}
    print(json.dumps(result), flush=True)
    result["rows"] = []
    of_process = {"commit": result["machine"]["commit"], "xla_flags": os.environ.get("XLA_FLAGS", "")}

    def keep(rows: list[dict[str, Any]]) -> None:
        result["rows"] += [row | of_process for row in rows]
        args.out.write_text(json.dumps(result, indent=2) + "\n")

    def asked_for(name: str) -> bool:
        return not args.contenders or name in args.contenders.split(";")

    with ThreadPoolExecutor(args.threads) as pool:
        # The large stacks come last: a call of XLA's own methods takes seconds there.
        for shape in LARGE if args.large else ():
            for rows in measure(pool, [Case(shape, 1, "harmonic")], lambda name: asked_for(name) and name not in WHOLE):
                keep(rows)
        for cases in all_cases(shapes, sorted(stacks)):
            for rows in measure(pool, cases, asked_for):
                keep(rows)


if __name__ == "__main__":
    main()
