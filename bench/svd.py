"""How fast is the truncated SVD, forward and with its derivative, and how accurate, beside what people use without it?

Every contender runs in the same process on the same float32 matrices (standard normal, the shapes of `specs.SHAPES`,
and stacks), with threads as the libraries set them, one after the other in each round. Times are medians. The gradient
is that of a weighted sum of all entries of u, s and vt, or of the approximation for `low_rank`.

    python bench/svd.py [--stack 32] [--repeats 9] [--shapes gaussians,mnist] [--smoke] [--out FILE]
"""

import argparse
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import NullFormatter
from svd_peers import Factors, forward_only, full_svd, gram_by_hand, product, torch_gradient, torch_svds
from timing import describe_machine, interleaved_ms

from fastrrae_kernels import Exact, Gram, Randomized, low_rank, specs, truncated_svd

BASELINE = "jnp.linalg.svd"
DIFFERENTIABLE: dict[str, Callable[[jax.Array, int], Factors]] = {
    BASELINE: full_svd,
    "eigh of the Gram matrix": gram_by_hand,
    "truncated_svd Auto()": truncated_svd,
    "truncated_svd Exact()": lambda a, rank: truncated_svd(a, rank, method=Exact()),
    "truncated_svd Gram()": lambda a, rank: truncated_svd(a, rank, method=Gram()),
    "truncated_svd Randomized()": lambda a, rank: truncated_svd(a, rank, method=Randomized()),
}


def normal(shape: tuple[int, ...], seed: int) -> jax.Array:
    """Standard normal entries, float32."""
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape), jnp.float32)


def first_call_ms(call: Callable[[], Any]) -> float:
    """Tracing, compiling and running once."""
    start = time.perf_counter()
    jax.block_until_ready(call())
    return 1e3 * (time.perf_counter() - start)


def measure(shape: specs.Shape, stack: tuple[int, ...], repeats: int) -> list[dict[str, Any]]:
    """One row per contender."""
    m, n, k = shape.m, shape.n, shape.k
    a, w = normal((*stack, m, n), 0), normal((*stack, m, n), 1)
    weights = tuple(normal((*stack, *size), 2 + i) for i, size in enumerate(((m, k), (k,), (k, n))))
    start = truncated_svd(a + 0.01 * normal(a.shape, 7), k).vt
    exact = np.asarray(a, np.float64)
    values = np.linalg.svd(exact, compute_uv=False)

    def weighted(factors: Factors, weights: Any = weights) -> Any:
        return sum((x * y).sum() for x, y in zip(factors, weights, strict=True))

    forward: dict[str, Callable[[], Any]] = {}
    both: dict[str, Callable[[], Any]] = {}
    compile_ms: dict[str, float] = {}

    def add(name: str, function: Callable[..., Any], loss: Callable[[Any], Any], *args: jax.Array) -> None:
        run, gradient = jax.jit(function), jax.jit(jax.value_and_grad(lambda *args: loss(function(*args))))
        forward[name], both[name] = lambda: run(*args), lambda: gradient(*args)
        compile_ms[name] = first_call_ms(both[name])

    for name, svd in DIFFERENTIABLE.items():
        add(name, lambda a, svd=svd: svd(a, k), weighted, a)
    warm = "truncated_svd Randomized(), warm"
    add(warm, lambda a, s: truncated_svd(a, k, method=Randomized(), start=s), weighted, a, start)
    factors: dict[str, Any] = {name: run() for name, run in forward.items()}
    add(f"{BASELINE}, product", lambda a: product(full_svd(a, k)), lambda y: jnp.sum(w * y), a)
    add("low_rank Auto()", lambda a: low_rank(a, k), lambda y: jnp.sum(w * y), a)

    on_host, peers = np.asarray(a), dict[str, Callable[[], Any]]()
    if not stack:
        for name, peer in forward_only(k).items():
            peers[name] = lambda peer=peer: peer(on_host)
            factors[name] = peer(on_host)
    torch_both: dict[str, Callable[[], Any]] = {}
    for name, peer in torch_svds(k).items():
        import torch  # pyright: ignore[reportMissingImports]

        tensor, towards = torch.from_numpy(np.array(a)), tuple(torch.from_numpy(np.array(x)) for x in weights)
        loss = lambda tensor, peer=peer, towards=towards: weighted(peer(tensor), towards)  # noqa: E731
        peers[name] = lambda peer=peer, tensor=tensor: peer(tensor)
        factors[name] = tuple(x.numpy() for x in peer(tensor))
        torch_both[name] = lambda loss=loss, tensor=tensor: torch_gradient(loss, tensor)

    # JAX first and alone: the idle threads of other libraries keep spinning for a while.
    forward_ms, both_ms = interleaved_ms(forward, repeats), interleaved_ms(both, repeats)
    forward_ms |= interleaved_ms(peers, repeats)
    both_ms |= interleaved_ms(torch_both, repeats)
    return [
        {
            "shape": shape.name,
            "stack": stack[0] if stack else 1,
            "contender": name,
            "forward_ms": forward_ms[name],
            "forward_and_gradient_ms": both_ms.get(name),
            "first_call_ms": compile_ms.get(name),
            **(errors(exact, values, factors[name]) if name in factors else {}),
        }
        for name in forward_ms
    ]


def errors(exact: np.ndarray, values: np.ndarray, factors: Any) -> dict[str, float]:
    """Of the singular values, relative to the largest; and by how much the approximation misses the optimum."""
    u, s, vt = (np.asarray(x, np.float64) for x in factors)
    k = s.shape[-1]
    optimum = np.sqrt(np.sum(values[..., k:] ** 2, -1))
    distance = np.linalg.norm(exact - product((u, s, vt)), axis=(-2, -1))
    return {
        "singular_value_error": float((np.abs(s - values[..., :k]).max(-1) / values[..., 0]).max()),
        "excess_over_optimum": float((distance / optimum - 1).max()),
    }


def speedups(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Geometric means over the shapes of the baseline's time with its gradient, over ours."""
    time_of = {(r["shape"], r["stack"], r["contender"]): r["forward_and_gradient_ms"] for r in rows}
    out = {}
    for single in (True, False):
        cases = sorted({(r["shape"], r["stack"]) for r in rows if (r["stack"] == 1) == single})
        for baseline, ours in (
            (BASELINE, "eigh of the Gram matrix"),
            (BASELINE, "truncated_svd Auto()"),
            (f"{BASELINE}, product", "low_rank Auto()"),
        ):
            ratios = [time_of[*case, baseline] / time_of[*case, ours] for case in cases]
            if ratios:
                label = f"{ours}, {'single matrices' if single else 'stacks'}"
                out[label] = math.exp(sum(map(math.log, ratios)) / len(ratios))
    return out


def show(rows: list[dict[str, Any]]) -> None:
    """Print a table."""
    print(
        f"{'shape':14} {'contender':33} {'forward':>11} {'+ gradient':>11} {'1st call':>10} {'err s':>8} {'excess':>8}"
    )
    for row in rows:
        name = row["shape"] + (f" x {row['stack']}" if row["stack"] > 1 else "")
        cells = [
            f"{row[key]:8.2f} ms" if row.get(key) is not None else 11 * " "
            for key in ("forward_ms", "forward_and_gradient_ms")
        ]
        first = f"{row['first_call_ms']:7.0f} ms" if row["first_call_ms"] is not None else 10 * " "
        error = [f"{row[key]:8.0e}" if key in row else "" for key in ("singular_value_error", "excess_over_optimum")]
        print(f"{name:14} {row['contender']:33} {' '.join(cells)} {first} {' '.join(error)}")


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    """Time with gradient (forward alone where there is none), a panel for each case."""
    cases = list(dict.fromkeys((r["shape"], r["stack"]) for r in rows))
    figure, axes = plt.subplots(1, len(cases), figsize=(3.1 * len(cases), 4.2), sharey=True, squeeze=False)
    names = list(dict.fromkeys(r["contender"] for r in rows))
    for axis, (shape, stack) in zip(axes[0], cases, strict=True):
        chosen = {r["contender"]: r for r in rows if (r["shape"], r["stack"]) == (shape, stack)}
        for i, name in enumerate(names):
            if name in chosen:
                both, forward = chosen[name]["forward_and_gradient_ms"], chosen[name]["forward_ms"]
                axis.barh(i, both or forward, color="tab:blue" if both else "none", edgecolor="tab:blue", height=0.7)
                axis.text(both or forward, i, f" {both or forward:.3g}", va="center", fontsize=8)
        axis.set_xscale("log")
        axis.xaxis.set_minor_formatter(NullFormatter())
        low, high = axis.get_xlim()
        axis.set_xlim(low / 3, high * 3)  # room for the shortest bar and for the longest one's label
        axis.set_title(shape + (f" x {stack}" if stack > 1 else ""))
        axis.set_xlabel("ms")
        axis.set_yticks(range(len(names)), names)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0][0].invert_yaxis()
    figure.suptitle("Forward and gradient (filled), forward alone where there is no gradient (outlined)", fontsize=10)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> None:
    """Measure, print a table, write JSON and a plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(__file__).parent / "results" / f"svd-{jax.default_backend()}.json"
    parser.add_argument("--out", type=Path, default=default)
    parser.add_argument("--stack", type=int, default=32, help="how many matrices in a stack; 0: no stacks")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--shapes", default=",".join(shape.name for shape in specs.SHAPES))
    parser.add_argument("--smoke", action="store_true", help="one small matrix, each call once: does it run")
    args = parser.parse_args()
    shapes = [shape for shape in specs.SHAPES if shape.name in args.shapes.split(",")]
    if args.smoke:
        shapes, args.stack, args.repeats = [specs.Shape("small", 12, 20, 3)], 0, 1
    rows = [row for shape in shapes for row in measure(shape, (), args.repeats)]
    if args.stack:
        small = [shape for shape in shapes if shape.m * shape.n < 100_000]
        rows += [row for shape in small for row in measure(shape, (args.stack,), args.repeats)]
    show(rows)
    means = speedups(rows)
    print(f"\nTimes with gradient, {BASELINE} over ...")
    for name, ratio in means.items():
        print(f"  {name:45} {ratio:5.2f}")
    args.out.parent.mkdir(exist_ok=True)
    result = {"machine": describe_machine(), "speedup_geometric_mean": means, "rows": rows}
    args.out.write_text(json.dumps(result, indent=2) + "\n")
    plot(rows, args.out.with_suffix(".png"))


if __name__ == "__main__":
    main()
