"""How fast is the truncated SVD of a large matrix with a rank far below its smaller side, at which error?

All contenders run in the same process on the same float32 matrices, one after the other in each round; times are
medians. The error is the largest difference of a kept singular value from the true one, over the largest; and the
excess of the approximation's error over the optimum. `torch.svd_lowrank` runs with `niter=2`, its default, and with the
smallest of `ITERATIONS` that is as accurate as `Randomized()`, or as float32 allows (`AS_ACCURATE`). SciPy runs on one
matrix at a time; matfree (Lanczos bidiagonalisation) with four vectors a triplet. PyTorch and matfree take part where
they are installed. The floor is two products, of the matrix and of its transpose with a block of rank + 8 columns;
`passes` says how many of these a contender's time is worth.

    python bench/large_svd.py [--repeats 5] [--shapes tall,square] [--decays harmonic] [--smoke] [--out FILE]
"""

# Before SciPy is loaded, so that its threads sleep when they are idle.
from fastrrae_kernels import Auto, Gram, Randomized, low_rank, truncated_svd  # isort: skip

import argparse
import importlib.util
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import scipy.fft
import scipy.sparse.linalg
from matplotlib.ticker import NullFormatter
from sklearn.utils.extmath import randomized_svd
from svd_peers import product, sparse_svds, torch_gradient
from timing import describe_machine, interleaved_ms


class Large(NamedTuple):
    """A matrix or a stack of them, and how many triplets are wanted."""

    stack: tuple[int, ...]
    m: int
    n: int
    k: int


SHAPES = {
    "tall": Large((), 20000, 500, 20),
    "very tall": Large((), 100000, 512, 16),
    "square": Large((), 4096, 4096, 32),
    "wide": Large((), 2000, 8000, 50),
    "stack": Large((256,), 128, 128, 8),
}
SMALL = {"small": Large((), 60, 40, 4)}

DECAYS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "0.8^i": lambda i: 0.8**i,
    "harmonic": lambda i: 1 / (1 + i),
    "exp(-i/20)": lambda i: np.exp(-i / 20),
    "1/sqrt(i)": lambda i: (1 + i) ** -0.5,
    "rank and noise": lambda i: np.where(i < 20, 1.0, 1e-3),
}
OVERSAMPLE = 8
AS_ACCURATE = 1e-6  # smaller errors of singular values are rounding, and so is ten times that for the excess
ITERATIONS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)  # that are tried
MOST_FOR_GRAM = 1024  # of the smaller side: beyond, it takes ten seconds and more
LANCZOS = 4  # vectors for each triplet

TORCH = importlib.util.find_spec("torch") is not None
MATFREE = importlib.util.find_spec("matfree") is not None


def with_spectrum(values: np.ndarray, large: Large) -> np.ndarray:
    """Float32 matrices with given singular values; their vectors are cosine transforms with random signs."""
    rng, d = np.random.default_rng(0), len(values)
    a: Any = np.zeros((*large.stack, large.m, large.n), np.float32)
    a[..., np.arange(d), np.arange(d)] = values
    for axis in (-2, -1):
        for _ in range(2):
            signs = rng.choice([-1.0, 1.0], (*large.stack, a.shape[axis])).astype(np.float32)
            a = scipy.fft.dct(a * np.expand_dims(signs, -3 - axis), norm="ortho", axis=axis)
    return np.ascontiguousarray(a, np.float32)


class Errors(NamedTuple):
    """Of a decomposition."""

    singular_value_error: float
    excess_over_optimum: float

    def reach(self, others: "Errors") -> bool:
        """Whether they are as small as others', or as float32 allows."""
        value, excess = max(others[0], AS_ACCURATE), max(others[1], 10 * AS_ACCURATE)
        return self[0] <= value and self[1] <= excess


def errors_of(factors: Any, a: np.ndarray, values: np.ndarray) -> Errors:
    """Of factors (u, s, vt), the largest in a stack."""
    u, s, vt = (np.asarray(x) for x in factors)
    k = s.shape[-1]
    missed = np.linalg.norm(a - product((u, s, vt)), axis=(-2, -1)) / np.linalg.norm(values[k:]) - 1
    return Errors(float(np.abs(s - values[:k]).max() / values[0]), float(missed.max()))


def ours(a: np.ndarray, k: int) -> dict[str, Callable[[], Any]]:
    """Calls that return (u, s, vt), and gradients of a loss of the approximation, with the forward pass."""
    on_device, calls = jnp.asarray(a), {}
    for method in (Randomized(), Auto()) if min(a.shape[-2:]) > MOST_FOR_GRAM else (Randomized(), Auto(), Gram()):
        run = jax.jit(lambda a, method=method: truncated_svd(a, k, method=method))
        calls[f"{type(method).__name__}()"] = lambda run=run: run(on_device)
    for method in (Randomized(), Auto()):
        gradient = jax.jit(jax.grad(lambda a, method=method: jnp.sum(low_rank(a, k, method=method) ** 3)))
        calls[f"{type(method).__name__}(), with gradient"] = lambda gradient=gradient: gradient(on_device)
    return calls


def on_each(solve: Callable[[np.ndarray], Any], a: np.ndarray) -> Any:
    """A peer that takes one matrix, on each of a stack."""
    if a.ndim == 2:
        return solve(a)
    return tuple(np.stack(factor) for factor in zip(*(solve(one) for one in a), strict=True))


def of_scipy_and_sklearn(a: np.ndarray, k: int) -> dict[str, Callable[[], Any]]:
    """Peers on NumPy matrices."""
    return {
        "sklearn randomized_svd": lambda: on_each(lambda one: randomized_svd(one, k, random_state=0), a),
        "scipy svds, ARPACK": lambda: on_each(lambda one: sparse_svds(one, k, "arpack"), a),
        "scipy svds, PROPACK": lambda: on_each(lambda one: sparse_svds(one, k, "propack"), a),
    }


def of_matfree(a: np.ndarray, k: int) -> dict[str, Callable[[], Any]]:
    """Partial SVD by Lanczos bidiagonalisation."""
    from matfree import decomp, eig  # pyright: ignore[reportMissingImports]

    depth = min(LANCZOS * k, *a.shape[-2:])
    partial_svd = eig.svd_partial(decomp.bidiag(depth, materialize=True, reortho="full"))
    start = jax.random.normal(jax.random.key(0), a.shape[-1:])

    def solve(a: jax.Array) -> Any:
        ut, s, vt = partial_svd(lambda v: a @ v, start / jnp.linalg.norm(start))
        return ut[:k].T, s[:k], vt[:k]

    on_device, run = jnp.asarray(a), jax.jit(solve if a.ndim == 2 else jax.vmap(solve))
    return {"matfree svd_partial": lambda: run(on_device)}


def of_torch(a: np.ndarray, k: int, reached: Callable[[Any], bool]) -> dict[str, Callable[[], Any]]:
    """`svd_lowrank` as it comes, and with as many iterations as the same accuracy takes."""
    import torch  # pyright: ignore[reportMissingImports]

    tensor = torch.from_numpy(a)

    def lowrank(tensor: Any, niter: int) -> Any:
        torch.manual_seed(0)  # its errors depend on the block that it draws
        u, s, v = torch.svd_lowrank(tensor, q=k, niter=niter)
        return u, s, v.mT

    calls: dict[str, Callable[[], Any]] = {"torch.svd_lowrank(niter=2)": lambda: lowrank(tensor, 2)}
    enough = next((n for n in ITERATIONS if reached(lowrank(tensor, n))), None)
    if enough is not None:
        calls[f"torch.svd_lowrank, as accurate (niter={enough})"] = lambda: lowrank(tensor, enough)
        calls[f"torch.svd_lowrank, as accurate (niter={enough}), with gradient"] = lambda: torch_gradient(
            lambda t: (product(lowrank(t, enough)) ** 3).sum(), tensor
        )
    return calls


def pair_of_products(a: np.ndarray, k: int) -> Callable[[], Any]:
    """The floor: the matrix times a block of columns, and its transpose times the result."""
    on_device = jnp.asarray(a)
    block = jnp.asarray(np.random.default_rng(1).standard_normal((*a.shape[:-2], a.shape[-1], k + OVERSAMPLE)), a.dtype)
    run = jax.jit(lambda a, x: jax.lax.optimization_barrier(a @ x).mT @ a)  # the faster form of `a.mT @ (a @ x)`
    return lambda: run(on_device, block)


def results_of(calls: dict[str, Callable[[], Any]]) -> dict[str, Any]:
    """What each contender returns, without those that end in an error.

    ARPACK does where more singular values are equal than it seeks.
    """
    found = {}
    for name, call in calls.items():
        try:
            found[name] = call()
        except scipy.sparse.linalg.ArpackError as error:
            print(f"{name} is left out: {error}", flush=True)
    return found


def measure(shape: str, decay: str, repeats: int) -> list[dict[str, Any]]:
    """One row a contender."""
    large = (SHAPES | SMALL)[shape]
    values = DECAYS[decay](np.arange(min(large.m, large.n), dtype=np.float64))
    a = with_spectrum(values, large)
    calls = ours(a, large.k) | of_scipy_and_sklearn(a, large.k)
    target = errors_of(calls["Randomized()"](), a, values)
    if MATFREE:
        calls |= of_matfree(a, large.k)
    if TORCH:
        calls |= of_torch(a, large.k, lambda factors: errors_of(factors, a, values).reach(target))
    found = results_of(calls)
    timed = {name: calls[name] for name in found} | {"floor": pair_of_products(a, large.k)}
    times = interleaved_ms(timed, repeats)
    floor, rows = times.pop("floor"), []
    for name, ms in times.items():
        row = {"shape": shape, "size": [*large.stack, large.m, large.n], "k": large.k, "decay": decay}
        row |= {"contender": name, "ms": ms, "floor_ms": floor, "passes": ms / floor}
        if "gradient" not in name:
            row |= errors_of(found[name], a, values)._asdict()
        rows.append(row)
        print(json.dumps(row), flush=True)
    return rows


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Error against time, a panel for each shape and decay."""
    shapes, decays = (list(dict.fromkeys(row[name] for row in rows)) for name in ("shape", "decay"))
    size = (3.2 * len(decays), 2.6 * len(shapes) + 1)
    figure, axes = plt.subplots(len(shapes), len(decays), figsize=size, squeeze=False, sharex="row", sharey=True)
    names = list(dict.fromkeys(short(row["contender"]) for row in rows if "singular_value_error" in row))
    there = {(row["shape"], row["decay"]) for row in rows}
    for i, shape in enumerate(shapes):
        for j, decay in enumerate(decays):
            for row in rows:
                if (row["shape"], row["decay"]) == (shape, decay) and "singular_value_error" in row:
                    own = short(row["contender"])
                    marker = "o" if own.endswith("()") else "x"
                    error = max(row["singular_value_error"], 1e-8)
                    axes[i, j].loglog(row["ms"], error, marker, color=f"C{names.index(own)}", label=own)
            if (shape, decay) not in there:
                axes[i, j].set_axis_off()
                continue
            title = f"{' x '.join(map(str, next(r['size'] for r in rows if r['shape'] == shape)))}, {decay}"
            axes[i, j].set_title(title, fontsize=8)
            axes[i, j].tick_params(labelsize=7)
            axes[i, j].xaxis.set_minor_formatter(NullFormatter())
        axes[i, 0].set_ylabel("error of singular values", fontsize=8)
    for axis in axes[-1]:
        axis.set_xlabel("milliseconds", fontsize=8)
    handles = {
        label: handle for axis in axes.flat for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    figure.legend(handles.values(), handles.keys(), loc="lower center", ncols=4, fontsize=8)
    figure.tight_layout(rect=(0, 0.5 / size[1], 1, 1))
    figure.savefig(path, dpi=110)
    plt.close(figure)


def short(contender: str) -> str:
    """Without the number of iterations that accuracy took."""
    return contender.partition(" (niter")[0]


def main() -> None:
    """Measure, print a line a result, write JSON and a plot next to it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "large-svd-cpu.json")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--shapes", default=",".join(SHAPES))
    parser.add_argument("--decays", default=",".join(DECAYS))
    parser.add_argument("--smoke", action="store_true", help="one small matrix, each call once: does it run")
    args = parser.parse_args()
    if args.smoke:
        args.shapes, args.decays, args.repeats = ",".join(SMALL), "harmonic", 1
    load = os.getloadavg()[0]
    rows = [r for s in args.shapes.split(",") for d in args.decays.split(",") for r in measure(s, d, args.repeats)]
    about = describe_machine() | {"load_average_at_start": load, "load_average_at_end": os.getloadavg()[0]}
    args.out.write_text(json.dumps({"machine": about, "rows": rows}, indent=2) + "\n")
    draw(rows, args.out.with_suffix(".png"))


if __name__ == "__main__":
    main()
